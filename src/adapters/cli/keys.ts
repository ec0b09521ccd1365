import type { Did } from '../../did/did.js'
import { stageOf, type Step } from '../../did/replacement.js'
import type { SigningKey } from '../../ports/keys.js'
import type { UnixSeconds } from '../../time.js'
import { toDate } from '../../time.js'
import { show, type Output } from './output.js'
import { usageFault } from './problem.js'
import { progressOf } from './progress.js'
import type { Terminal } from './terminal.js'

/** A version of the key-encryption key. */
export interface VersionReport {
  readonly version: number
  readonly fingerprint: string
  /** private keys sealed under it */
  readonly keys: number
}

/** What was done to the issuer's keys, and what comes next. */
export interface StepReport {
  readonly done: Step['step'] | null
  readonly next: Step | null
}

/** Keys of a database, and those its issuer signs with. */
export interface KeyDesk {
  versions(): Promise<readonly VersionReport[]>
  rotate(options: {
    readonly drop: boolean
    readonly progress: (done: number, total: number) => void
  }): Promise<{ readonly version: number; readonly resealed: number; readonly dropped: readonly number[] }>
  /** `null` for a wallet, which has no issuer */
  readonly issuer: {
    readonly did: Did
    keys(did: Did): Promise<readonly SigningKey[]>
    proceed(did: Did): Promise<StepReport>
    emergency(did: Did): Promise<void>
  } | null
  close(): Promise<void>
}

/** Options of `procura keys list` and `procura keys rotate`. */
export interface KeysOptions extends Output {
  readonly dropOld?: boolean
  readonly issuer?: boolean
  readonly emergency?: boolean
  readonly wait?: boolean
}

/** What the commands need. */
export interface KeysWorld {
  readonly open: () => Promise<KeyDesk>
  readonly terminal: Terminal
  /** resolves when the clock shows this time */
  readonly until: (time: UnixSeconds) => Promise<void>
}

const TOO_EARLY = 75
const DONE = { list: 'a new key is listed', switch: 'the new key signs', drop: 'the old key is dropped' } as const
const NEXT = { list: 'list a new key', switch: 'switch to the new key', drop: 'drop the old key' } as const

/** Shows the versions of the key-encryption key and the keys of the issuer. @returns the exit code */
export async function keysList(options: Output, { open, terminal }: KeysWorld): Promise<number> {
  return withDesk(open, async desk => {
    const { issuer } = desk
    const found = await desk.versions()
    const signing = issuer === null ? [] : await issuer.keys(issuer.did)
    const keys = signing.map(key => ({ ...key, stage: stageOf(key) }))
    const answer = { versions: found, issuer: issuer === null ? null : { did: issuer.did, keys } }
    show(terminal, options, answer, () => [
      ...found.map(({ version, fingerprint, keys: sealed }) => {
        const newest = version === found.at(-1)?.version ? '  newest' : ''
        return `version ${version}  ${fingerprint.slice(0, 12)}  ${sealed} private keys${newest}`
      }),
      ...keys.map(({ did, kid, stage }) => `${did}#${kid}  ${stage}`),
    ])
    return 0
  })
}

/**
 * Replaces the key-encryption key, or with `issuer` the key that the issuer signs with, step by step.
 *
 * @returns the exit code: 0; 75 if the next step of the issuer is not due yet
 * @throws a usage fault for options that do not fit
 */
export async function keysRotate(options: KeysOptions, world: KeysWorld): Promise<number> {
  const { issuer = false, dropOld = false, emergency = false, wait = false } = options
  if (issuer ? dropOld || (emergency && wait) : emergency || wait) {
    throw usageFault('--drop-old goes without --issuer; --wait or --emergency with it')
  }
  return withDesk(world.open, desk =>
    issuer ? rotateIssuer(desk, options, world) : rotateVersion(desk, options, world.terminal),
  )
}

async function rotateVersion(desk: KeyDesk, options: KeysOptions, terminal: Terminal): Promise<number> {
  const progress = progressOf('keys', process.stderr)
  const report = await desk.rotate({ drop: options.dropOld === true, progress })
  show(terminal, options, report, () => [
    `version ${report.version}  ${report.resealed} private keys sealed anew`,
    ...report.dropped.map(version => `version ${version}  dropped`),
  ])
  return 0
}

async function rotateIssuer(
  { issuer }: KeyDesk,
  options: KeysOptions,
  { terminal, until }: KeysWorld,
): Promise<number> {
  if (issuer === null) throw usageFault('a wallet has no issuer; name the agent file of a service')
  const { did } = issuer
  if (options.emergency === true) {
    await issuer.emergency(did)
    show(terminal, options, { done: 'emergency', next: null }, () => ['a new key signs, all others are dropped'])
    return 0
  }
  for (;;) {
    const { done, next } = await issuer.proceed(did)
    show(terminal, options, { done, next }, () => [
      ...(done === null ? [] : [DONE[done]]),
      ...(next === null ? [] : [`next: ${NEXT[next.step]}, from ${toDate(next.due)} on`]),
    ])
    if (next === null) return 0
    if (options.wait !== true) return done === null ? TOO_EARLY : 0
    await until(next.due)
  }
}

async function withDesk(open: KeysWorld['open'], work: (desk: KeyDesk) => Promise<number>): Promise<number> {
  const desk = await open()
  try {
    return await work(desk)
  } finally {
    await desk.close()
  }
}
