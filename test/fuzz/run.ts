import { createVerifier } from '../../src/verifier/verifier.js'
import type { Case, Trial } from './ask.js'
import { breakOne } from './break.js'
import { control } from './control.js'
import { type Break, UNBROKEN } from './edit.js'
import { type Prepared, prepare } from './prepare.js'
import { Random } from './random.js'
import { type Scene } from './scene.js'
import { type Report, Tally } from './tally.js'
import { isUnchanged, verdictOf } from './verdict.js'

/** Controls that are minted together; the scenes of an epoch donate parts to each other. */
const SCENES = 40
const EPOCH = 2000
/** Every so many breaks the unbroken control is asked too. */
const CONTROL_EVERY = 20

export interface Settings extends Partial<Trial> {
  readonly seed: number
  readonly cases: number
  /** number of the first case; one that missed is made again with `from` its number and `cases` 1 */
  readonly from?: number
  /** milliseconds that no decision takes, by default so many that none does on any machine */
  readonly stall?: number
  /** misses after which nothing new is to be learned */
  readonly enough?: number
  /** told of every miss right after the decision */
  readonly onMiss?: () => void
}

interface Epoch {
  readonly number: number
  readonly scenes: readonly Scene[]
  readonly good: readonly Prepared[]
}

/** The ones made last: many runs begin with the same. */
const epochs = new Map<string, Epoch>()

function epochOf(seed: number, number: number): Epoch {
  const known = epochs.get(`${seed} ${number}`)
  if (known !== undefined) return known
  const scenes = Array.from({ length: SCENES }, (_, index) => control(seed, number, index))
  const epoch = { number, scenes, good: scenes.map(scene => prepare(scene, UNBROKEN)) }
  if (epochs.size > 2) epochs.clear()
  epochs.set(`${seed} ${number}`, epoch)
  return epoch
}

/** Breaks one thing `cases` times and holds every answer against what is due. */
export async function fuzz(settings: Settings): Promise<Report> {
  const { seed, cases, from = 0, stall = 1000, enough = 50, onMiss } = settings
  const { build = createVerifier, watch = () => performance.now() } = settings
  const trial: Trial = { build, watch }
  const tally = new Tally(seed)
  let epoch = epochOf(seed, Math.floor(from / EPOCH))
  for (let index = from; index < from + cases && tally.misses < enough; index += 1) {
    const number = Math.floor(index / EPOCH)
    if (number !== epoch.number) epoch = epochOf(seed, number)
    const random = new Random(seed, number, index, 1)
    const one = caseOf(random, epoch)
    const isControl = index % CONTROL_EVERY === 0
    const due: readonly Case[] = isControl ? [{ ...one, broken: UNBROKEN, bad: one.good }, one] : [one]
    for (const each of due) {
      const before = tally.misses
      tally.add(index, each, await verdictOf(each, trial, stall))
      if (tally.misses > before) onMiss?.()
    }
  }
  return tally.report()
}

function caseOf(random: Random, { scenes: others, good: controls }: Epoch): Case {
  const which = random.int(0, SCENES - 1)
  const [scene, good] = [others[which]!, controls[which]!]
  for (;;) {
    const broken = breakOne(random, scene, others)
    const bad = prepare(scene, broken)
    if (!isUnchanged({ scene, broken, good, bad })) return { scene, broken, good, bad, others }
  }
}

/** Breaks a scene in each of the ways given, one at a time. */
export async function sweep(scene: Scene, ways: readonly Break[], stall = 1000): Promise<Report> {
  const trial: Trial = { build: createVerifier, watch: () => performance.now() }
  const tally = new Tally(0)
  const good = prepare(scene, UNBROKEN)
  for (const [index, broken] of [UNBROKEN, ...ways].entries()) {
    const bad = broken === UNBROKEN ? good : prepare(scene, broken)
    const one: Case = { scene, broken, good, bad, others: [scene] }
    if (bad === good || !isUnchanged(one)) tally.add(index, one, await verdictOf(one, trial, stall))
  }
  return tally.report()
}
