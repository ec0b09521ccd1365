import type { Did } from '../../did/did.js'
import { stageOf, type Step } from '../../did/replacement.js'
import type { SigningKey } from '../../ports/keys.js'
import type { UnixSeconds } from '../../time.js'
import { toDate } from '../../time.js'
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
export interface KeysOptions {
  readonly output: 'json' | 'table'
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

const USAGE = 64
const TOO_EARLY = 75
const DONE = { list: 'a new key is listed', switch: 'the new key signs', drop: 'the old key is dropped' } as const
const NEXT = { list: 'list a new key', switch: 'switch to the new key', drop: 'drop the old key' } as const

/** Shows the versions of the key-encryption key and the keys of the issuer. @returns the exit code */
export async function keysList({ output }: KeysOptions, { open, terminal }: KeysWorld): Promise<number> {
  return withDesk(open, async desk => {
    const { issuer } = desk
    const found = await desk.versions()
    const signing = issuer === null ? [] : await issuer.keys(issuer.did)
    if (output === 'json') {
      const keys = signing.map(key => ({ ...key, stage: stageOf(key) }))
      terminal.print(JSON.stringify({ versions: found, issuer: issuer === null ? null : { did: issuer.did, keys } }))
      return 0
    }
    for (const { version, fingerprint, keys } of found) {
      const newest = version === found.at(-1)?.version ? '  newest' : ''
      terminal.print(`version ${version}  ${fingerprint.slice(0, 12)}  ${keys} private keys${newest}`)
    }
    for (const key of signing) terminal.print(`${key.did}#${key.kid}  ${stageOf(key)}`)
    return 0
  })
}

/**
 * Replaces the key-encryption key, or with `issuer` the key that the issuer signs with, step by step.
 *
 * @returns the exit code: 0; 64 for options that do not fit; 75 if the next step of the issuer is not due yet
 */
export async function keysRotate(options: KeysOptions, world: KeysWorld): Promise<number> {
  const { terminal } = world
  const { issuer = false, dropOld = false, emergency = false, wait = false } = options
  if (issuer ? dropOld || (emergency && wait) : emergency || wait) {
    terminal.tell('procura: --drop-old goes without --issuer; --wait or --emergency with it')
    return USAGE
  }
  return withDesk(world.open, desk =>
    issuer ? rotateIssuer(desk, options, world) : rotateVersion(desk, options, terminal),
  )
}

async function rotateVersion(
  desk: KeyDesk,
  { output, dropOld = false }: KeysOptions,
  terminal: Terminal,
): Promise<number> {
  const progress = progressOf('keys', process.stderr)
  const report = await desk.rotate({ drop: dropOld, progress })
  if (output === 'json') terminal.print(JSON.stringify(report))
  else {
    terminal.print(`version ${report.version}  ${report.resealed} private keys sealed anew`)
    for (const version of report.dropped) terminal.print(`version ${version}  dropped`)
  }
  return 0
}

async function rotateIssuer(
  { issuer }: KeyDesk,
  options: KeysOptions,
  { terminal, until }: KeysWorld,
): Promise<number> {
  if (issuer === null) {
    terminal.tell('procura: a wallet has no issuer; name the agent file of a service')
    return USAGE
  }
  const { did } = issuer
  if (options.emergency === true) {
    await issuer.emergency(did)
    terminal.print(
      options.output === 'json' ? JSON.stringify({ done: 'emergency' }) : 'a new key signs, all others are dropped',
    )
    return 0
  }
  for (;;) {
    const { done, next } = await issuer.proceed(did)
    if (options.output === 'json') terminal.print(JSON.stringify({ done, next }))
    else {
      if (done !== null) terminal.print(DONE[done])
      if (next !== null) terminal.print(`next: ${NEXT[next.step]}, from ${toDate(next.due)} on`)
    }
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
