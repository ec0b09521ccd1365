import { ask, type Case, type Trial } from './ask.js'
import { AGE, NOW } from './cast.js'
import { excuse } from './harmless.js'
import { objection } from './model.js'
import type { Prepared } from './prepare.js'
import { at, type Loose, type LooseObject, type Scene } from './scene.js'

/** How often a case that was slow is decided again: on a machine with other work, one slow decision says nothing. */
const REPEATS = 5

/** What came of one case. */
export interface Verdict {
  readonly answer: string
  /** why it was right to allow it although something was broken */
  readonly harmless: string | null
  readonly miss: { readonly expected: string; readonly actual: string } | null
  /** milliseconds of the slowest decision, in the fastest of all repeats if it was repeated */
  readonly slowest: number
  readonly spent: number
}

/** Decides a case and holds the answer against what is due. @param stall - milliseconds that no decision takes */
export async function verdictOf(one: Case, trial: Trial, stall: number): Promise<Verdict> {
  const { answer, defect, spent, ...first } = await ask(one, trial)
  let { slowest } = first
  for (let repeat = 0; repeat < REPEATS && slowest > stall; repeat += 1) {
    slowest = Math.min(slowest, (await ask({ ...one, bad: unopened(one.bad) }, trial)).slowest)
  }
  const verdict = { answer, harmless: null, miss: null, slowest, spent }
  const missed = (expected: string, actual = answer): Verdict => ({ ...verdict, miss: { expected, actual } })
  if (one.broken.isWarm === true) {
    // what it knows already spares it work, and changes nothing
    const cold = await ask({ ...one, broken: { ...one.broken, isWarm: false } }, trial)
    if (cold.answer !== answer) return missed(`${cold.answer}, as from one that knows nothing`)
  }
  if (defect !== null) return missed('a sound decision', `${answer}: ${defect}`)
  if (slowest > stall) return missed(`less than ${stall} ms`, `${answer} after ${slowest.toFixed(1)} ms`)
  const { due = answer, place } = one.broken
  if (answer !== due) return missed(due)
  if (answer !== 'allow') return verdict
  const reason = reasonToRefuse(one)
  if (reason !== null) return missed(`a refusal: ${reason}`)
  const harmless = excuse(place)
  return harmless === null ? missed('a refusal: it is on no list of harmless breaks') : { ...verdict, harmless }
}

/** The same with lists that no decision has opened yet: what is done once only may be what is slow. */
function unopened(prepared: Prepared): Prepared {
  return { ...prepared, snapshots: new Map([...prepared.snapshots].map(([url, { token }]) => [url, { token }])) }
}

function reasonToRefuse({ scene, broken, bad }: Case): string | null {
  if (broken.forged === true) return 'bytes, signatures, order or types are broken, or somebody says no'
  if (broken.orphans === true) return 'the links below name another parent'
  if (broken.again?.fresh === true && exceeds(scene, broken.again.times)) return 'a budget or rate is used up'
  return objection(bad.outcome, scene)
}

/** Whether as many calls are more than any budget or rate of the chain allows. */
function exceeds(scene: Scene, times: number): boolean {
  const authorities = scene.links.map(({ claims }) => at(claims, 'credentialSubject', 'authority') as LooseObject)
  const bounds = authorities.flatMap(({ rate, budgets = [] }) => [
    ...(rate === undefined ? [] : [Number(at(rate, 'max'))]),
    ...(budgets as LooseObject[])
      .filter(({ on }) => on === undefined || (on as Loose[]).includes(scene.asked.action))
      .map(({ max, meter }) => Number(max) / (meter === '#calls' ? 1 : Number(scene.asked.params[meter as string]))),
  ])
  const [first] = scene.links
  const root = scene.policy.roots.get(first!.signer.did)
  if (root?.rate) bounds.push(root.rate.max)
  return bounds.some(bound => times > bound)
}

/** True if the break left everything as it was: there is nothing to find then. */
export function isUnchanged({ scene, broken, good, bad }: Omit<Case, 'others'>): boolean {
  const { again, heir, now = NOW, age = AGE, showing, receiving, document, event, reserve, place } = broken
  if ([again, heir, showing, receiving, document, event, reserve].some(one => one !== undefined)) return false
  if (now !== NOW || age !== AGE || place === 'asked strange') return false
  return (
    isSame(good.shown, bad.shown) &&
    [...scene.lists.keys()].every(url => bad.snapshots.get(url)?.token === good.snapshots.get(url)?.token) &&
    good.approval === bad.approval &&
    good.tokens.every((token, index) => token === bad.tokens[index]) &&
    isSame(good.asked, bad.asked)
  )
}

function isSame(one: unknown, two: unknown): boolean {
  return one === two || JSON.stringify(one) === JSON.stringify(two)
}
