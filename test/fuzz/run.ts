import { s256 } from '../../src/encoding.js'
import { isCode, isProcuraError, ProcuraError, type Code } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import type { Did } from '../../src/did/did.js'
import { didOf, methodOf } from '../../src/did/did.js'
import { fromDidKey } from '../../src/did/key.js'
import type { PublicKey } from '../../src/ed25519.js'
import type { Keys, Snapshot } from '../../src/ports.js'
import { memoryLedger, memoryRevocations, memoryVersions } from '../../src/adapters/state/memory.js'
import { createVerifier, type Decision, type Shown, type VerifierPorts } from '../../src/verifier/verifier.js'
import { breakOne, ENCODINGS, excuse, type Break, type Edit } from './break.js'
import { AGE, control, digestOfToken, EVERYBODY, LISTS, NOW, VERSION, withChain } from './control.js'
import { objection, type Outcome } from './model.js'
import { Random } from './random.js'
import {
  textOf,
  at,
  clone,
  seal,
  signed,
  write,
  type Asked,
  type Draft,
  type Loose,
  type LooseObject,
  type Scene,
} from './scene.js'

/** Controls that are minted together; the scenes of an epoch donate parts to each other. */
const SCENES = 40
const EPOCH = 2000
/** Every so many breaks the unbroken control is asked too. */
const CONTROL_EVERY = 20
/** Milliseconds after which a decision counts as a stall, on any machine. */
export const STALL = 1000

export interface Report {
  readonly cases: number
  readonly controls: number
  /** answers, by code; `allow` only where the break is harmless */
  readonly codes: Readonly<Record<string, number>>
  /** why those that were allowed are harmless */
  readonly harmless: Readonly<Record<string, number>>
  readonly slowest: number
  /** milliseconds of all decisions together */
  readonly spent: number
  /** one paragraph each: how to make it again, what was broken, expected, actual */
  readonly misses: readonly string[]
}

const DOCUMENTS = new Map<Did, PublicKey>(EVERYBODY.map(({ did, publicKey }) => [did, publicKey]))

const keyOf = (did: Did): PublicKey => {
  if (methodOf(did) === 'key') return fromDidKey(did)
  const known = DOCUMENTS.get(did)
  if (known === undefined || methodOf(did) !== 'web')
    throw new ProcuraError('DID_RESOLUTION', { did, why: 'no such host' })
  return known
}
const KEYS: Keys = {
  all: did => Promise.resolve().then(() => [keyOf(did)]),
  find: kid =>
    Promise.resolve().then(() => {
      const did = didOf(kid)
      const key = keyOf(did)
      const fragment = methodOf(did) === 'key' ? did.slice('did:key:'.length) : 'k1'
      return kid === `${did}#${fragment}` ? key : null
    }),
}

/** The lists as they are when nobody touched them; the same objects, so that they are opened once. */
const SNAPSHOTS: ReadonlyMap<string, Snapshot> = new Map(
  [...LISTS].map(([url, draft]) => [url, { token: seal(draft) }]),
)

interface Prepared {
  readonly shown: Shown
  readonly tokens: readonly string[]
  readonly asked: Asked
  readonly approval: string | undefined
  readonly outcome: Outcome
  readonly snapshots: ReadonlyMap<string, Snapshot>
  /** what is sent again: the same claims under another name */
  readonly renew: (time: number) => { readonly shown: Shown; readonly approval: string | undefined }
}

interface Edited {
  readonly draft: Draft
  readonly token: string
}

/** A token with one thing changed. */
function edited(good: Draft, edit: Edit = {}): Edited {
  const claims = (edit.claims === undefined ? good.claims : clone(good.claims)) as LooseObject
  const header = { ...good.header }
  if (edit.author !== undefined) header['kid'] = edit.author.kid
  edit.claims?.(claims)
  edit.header?.(header)
  const signer = edit.author ?? edit.signer ?? good.signer
  const raw = edit.raw ?? ((head: string, payload: string) => signed(head, payload, signer))
  const token = raw(write(header), write(claims), signer)
  return { draft: { header, claims, signer }, token: edit.token?.(token) ?? token }
}

/** Signs a scene with one thing broken. */
function prepare(scene: Scene, broken: Break): Prepared {
  const drafts: Draft[] = []
  const tokens: string[] = []
  for (const [index, good] of scene.links.entries()) {
    const first = broken.link?.index ?? Infinity
    if (index < first) {
      drafts.push(good)
      tokens.push(scene.tokens[index]!)
      continue
    }
    const above = tokens.at(-1)
    const due = index === first || broken.orphans === true || above === undefined ? good : renamed(good, above)
    const { draft, token } = edited(due, index === first ? broken.link?.edit : {})
    drafts.push(draft)
    tokens.push(token)
  }
  const sent = broken.order?.(tokens) ?? tokens
  const asked = copyOf(scene.asked)
  broken.asked?.(asked)
  const bare = clone(scene.shown.claims) as LooseObject
  if (broken.isSigned === true) {
    const request = bare['request'] as LooseObject
    const { action, resource, params } = asked
    Object.assign(request, { action, resource, paramsDigest: s256(write(params)) })
  }
  const full = { ...scene.shown, claims: withChain(bare, scene.inline, sent.length === 0 ? [] : sent) }
  const shown = edited(full, broken.shown)
  let approval: Edited | null = null
  if (scene.approval !== null && broken.approval !== 'none') {
    const claims = { ...(scene.approval.claims as LooseObject), leaf: digestOfToken(sent.at(-1) ?? '') }
    if (broken.isSigned === true) {
      const { action, resource, paramsDigest } = bare['request'] as LooseObject
      Object.assign(claims, { action, resource, paramsDigest })
    }
    approval = edited({ ...scene.approval, claims }, broken.approval)
  }
  const snapshots = new Map(SNAPSHOTS)
  const lists = new Map(LISTS)
  if (broken.list !== undefined) {
    const { url } = broken.list
    if ('serve' in broken.list) {
      if (broken.list.serve === null) snapshots.delete(url)
      else snapshots.set(url, { token: broken.list.serve })
    } else {
      const { draft, token } = edited(LISTS.get(url)!, broken.list.edit)
      lists.set(url, draft)
      snapshots.set(url, { token })
    }
  }
  const outcome: Outcome = {
    links: drafts,
    digests: tokens.map(digestOfToken),
    shown: shown.draft,
    approval: approval?.draft ?? null,
    lists,
    asked,
    now: broken.now ?? NOW,
    age: broken.age ?? AGE,
    bits: encoded => (typeof encoded === 'string' ? (ENCODINGS.get(encoded) ?? null) : null),
    holders: broken.heir === undefined ? scene.holders : [...scene.holders.slice(0, -1), broken.heir],
  }
  const wrap = (token: string): Shown => (scene.inline ? token : { proof: token })
  return {
    shown: wrap(shown.token),
    tokens: sent,
    asked,
    approval: approval?.token,
    outcome,
    snapshots,
    renew: time => ({
      shown: wrap(edited(full, { claims: claims => (claims['jti'] = s256(`${textOf(claims['jti'])} ${time}`)) }).token),
      approval:
        approval === null
          ? undefined
          : edited(approval.draft, { claims: claims => (claims['jti'] = s256(`${textOf(claims['jti'])} ${time}`)) })
              .token,
    }),
  }
}

/** `Object.assign` would lose what a break put under strange names. */
function copyOf(asked: Asked): Asked {
  return { ...asked, params: clone(asked.params) }
}

/** A link that names the token above it. */
function renamed(good: Draft, above: string): Draft {
  const claims = good.claims as LooseObject
  const subject = claims['credentialSubject'] as LooseObject
  const authority = subject['authority'] as LooseObject
  const parent = { ...(authority['parent'] as LooseObject), digest: digestOfToken(above) }
  return { ...good, claims: { ...claims, credentialSubject: { ...subject, authority: { ...authority, parent } } } }
}

async function portsOf(
  scene: Scene,
  broken: Break,
  { snapshots, tokens }: Prepared,
  audit: object[],
): Promise<VerifierPorts> {
  const leaf = digestOfToken(tokens.at(-1) ?? '')
  const now = broken.now ?? NOW
  const clock = { now: () => now }
  const listVersions = memoryVersions()
  for (const [url, { signer }] of LISTS) await listVersions.raise(signer.did, url, VERSION)
  return {
    clock,
    ids: { uuid: () => '0192f5c2-0000-4000-8000-000000000000', token: () => 'A'.repeat(22) },
    keys: KEYS,
    statusLists: {
      read: url => {
        const snapshot = snapshots.get(url)
        return snapshot === undefined
          ? Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list: url, why: 'no such host' }))
          : Promise.resolve({ snapshot, age: broken.age ?? AGE })
      },
    },
    listVersions,
    revocations: memoryRevocations(),
    chains: {
      keep: () => Promise.resolve(),
      find: (...names) => Promise.resolve(names.at(-1) === leaf ? tokens : null),
    },
    nonces: {
      issue: () => Promise.resolve(''),
      consume: (...names) => Promise.resolve(names.at(-1) === scene.nonce),
      isOpen: (...names) => Promise.resolve(names.at(-1) === scene.nonce),
    },
    ledger: memoryLedger({ now: () => -Infinity }, { budgets: true }),
    audit: { record: entry => Promise.resolve(void audit.push(entry)) },
  }
}

const UNBROKEN: Break = { place: 'nothing', detail: 'nothing' }

interface Answer {
  /** `allow`, a code, or what went wrong */
  readonly answer: string
  readonly defect: string | null
  readonly slowest: number
  readonly spent: number
}

/** Has the verifier decide, and holds it to what always holds. */
async function ask(scene: Scene, broken: Break, prepared: Prepared): Promise<Answer> {
  const audit: object[] = []
  const ports = await portsOf(scene, broken, prepared, audit)
  let [slowest, spent] = [0, 0]
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const start = performance.now()
    try {
      return await work()
    } finally {
      const took = performance.now() - start
      slowest = Math.max(slowest, took)
      spent += took
    }
  }
  const answered = (answer: string, defect: string | null = null): Answer => ({ answer, defect, slowest, spent })
  if (!scene.inline) {
    const isUploaded =
      broken.order === undefined && broken.link !== undefined && prepared.tokens.at(-1)!.length % 2 === 0
    try {
      if (isUploaded) await timed(() => createVerifier(scene.policy, ports).keepChain(prepared.tokens))
    } catch (error) {
      if (isProcuraError(error)) return answered(error.code, error.code === 'INTERNAL' ? 'INTERNAL' : null)
      return answered('threw', `keepChain threw ${String(error)}`)
    }
  }
  let last: Decision | null = null
  const { times, fresh } = broken.again ?? { times: 1, fresh: false }
  for (let time = 0; time < times; time += 1) {
    const { shown, approval } = fresh ? prepared.renew(time) : prepared
    const received = {
      ...prepared.asked,
      params: prepared.asked.params as JsonObject,
      ...(approval === undefined ? {} : { approval }),
    }
    try {
      last = await timed(() => createVerifier(scene.policy, ports).decide(shown, received))
    } catch (error) {
      return answered(
        'threw',
        `decide threw ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      )
    }
  }
  if (last === null) return answered('nothing', 'nothing was asked')
  if (audit.length !== times) return answered('audit', `${audit.length} records of ${times} decisions`)
  if (last.allow) return answered('allow')
  const code: Code = last.code
  if (!isCode(code)) return answered(String(code), 'a code that is in no table')
  if (code === 'INTERNAL') return answered(code, JSON.stringify(audit.at(-1)).slice(0, 2000))
  const isStranger = broken.shown !== undefined && broken.forged === true
  if (isStranger && last.disclose) return answered(code, 'discloses the code to somebody who proved nothing')
  return answered(code)
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

function isUnchanged(scene: Scene, good: Prepared, bad: Prepared, broken: Break): boolean {
  if (broken.again !== undefined || broken.heir !== undefined) return false
  if (broken.now !== undefined && broken.now !== NOW) return false
  if (broken.age !== undefined && broken.age !== AGE) return false
  const lists = (): boolean =>
    [...scene.lists.keys()].every(url => bad.snapshots.get(url)?.token === good.snapshots.get(url)?.token)
  const isSame = (one: unknown, two: unknown): boolean => one === two || jsonOf(one) === jsonOf(two)
  return (
    isSame(good.shown, bad.shown) &&
    lists() &&
    good.approval === bad.approval &&
    good.tokens.every((token, index) => token === bad.tokens[index]) &&
    broken.place !== 'asked strange' &&
    isSame(good.asked, bad.asked)
  )
}

const jsonOf = (value: unknown): string => JSON.stringify(value)

interface Epoch {
  readonly scenes: readonly Scene[]
  readonly good: readonly Prepared[]
}

function epochOf(seed: number, number: number): Epoch {
  const scenes = Array.from({ length: SCENES }, (_, index) => control(seed, number, index))
  return { scenes, good: scenes.map(scene => prepare(scene, UNBROKEN)) }
}

/**
 * Breaks one thing `cases` times and holds every answer against what is due.
 *
 * @param from - number of the first case; one that missed is made again with `from` its number and `cases` 1
 */
export async function fuzz(
  seed: number,
  cases: number,
  from = 0,
  progress: (done: number) => void = () => undefined,
): Promise<Report> {
  const codes: Record<string, number> = {}
  const harmless: Record<string, number> = {}
  const misses: string[] = []
  let [controls, slowest, spent] = [0, 0, 0]
  let [epoch, number] = [epochOf(seed, Math.floor(from / EPOCH)), Math.floor(from / EPOCH)]
  const miss = (index: number, scene: Scene, broken: Break, expected: string, actual: string): void => {
    if (misses.length >= 50) return
    const links = scene.links.map(link => write(link.claims)).join('\n  ')
    misses.push(
      `seed ${seed}, case ${index}: ${broken.place}: ${broken.detail}\n expected ${expected}\n actual ${actual}\n` +
        (misses.length > 2 ? '' : ` links\n  ${links}\n asked ${jsonOf(scene.asked)}`),
    )
  }
  for (let index = from; index < from + cases; index += 1) {
    if (Math.floor(index / EPOCH) !== number) {
      number = Math.floor(index / EPOCH)
      epoch = epochOf(seed, number)
      progress(index - from)
    }
    const random = new Random(seed, number, index, 1)
    const which = random.int(0, SCENES - 1)
    const scene = epoch.scenes[which]!
    const good = epoch.good[which]!
    if (index % CONTROL_EVERY === 0) {
      controls += 1
      const { answer, defect } = await ask(scene, UNBROKEN, good)
      const objected = objection(good.outcome, scene)
      if (answer !== 'allow' || objected !== null)
        miss(index, scene, UNBROKEN, 'allow', `${answer} ${defect ?? ''} ${objected ?? ''}`)
    }
    let broken: Break
    let bad: Prepared
    do {
      broken = breakOne(random, scene, epoch.scenes)
      bad = prepare(scene, broken)
    } while (isUnchanged(scene, good, bad, broken))
    const result = await ask(scene, broken, bad)
    const { answer, defect } = result
    spent += result.spent
    slowest = Math.max(slowest, result.slowest)
    codes[answer] = (codes[answer] ?? 0) + 1
    if (defect !== null) miss(index, scene, broken, 'a refusal', `${answer}: ${defect}`)
    else if (answer === 'allow') {
      const why = reasonToRefuse(scene, broken, bad)
      const reason = excuse(broken.place)
      if (why !== null) miss(index, scene, broken, `a refusal: ${why}`, 'allow')
      else if (reason === null) miss(index, scene, broken, 'a refusal: it is on no list of harmless breaks', 'allow')
      else harmless[reason] = (harmless[reason] ?? 0) + 1
    }
    if (result.slowest > STALL) miss(index, scene, broken, `less than ${STALL} ms`, `${result.slowest} ms`)
  }
  return { cases, controls, codes, harmless, slowest, spent, misses }
}

function reasonToRefuse(scene: Scene, broken: Break, bad: Prepared): string | null {
  if (broken.forged === true) return 'bytes, signatures or order are broken'
  if (broken.orphans === true) return 'the links below name another parent'
  if (broken.again?.fresh === true && exceeds(scene, broken.again.times)) return 'a budget or rate is used up'
  return objection(bad.outcome, scene)
}

/** The report as lines for people. */
export function tell({ cases, controls, codes, harmless, slowest, spent, misses }: Report): string {
  const rows = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts)
      .sort(([, one], [, two]) => two - one)
      .map(([name, count]) => `  ${String(count).padStart(8)} ${name}`)
      .join('\n')
  return [
    `${cases} cases, ${controls} controls, ${misses.length} misses`,
    `slowest decision ${slowest.toFixed(1)} ms, mean ${(spent / Math.max(1, cases)).toFixed(2)} ms`,
    `answers\n${rows(codes)}`,
    `harmless\n${rows(harmless)}`,
    ...misses,
  ].join('\n')
}
