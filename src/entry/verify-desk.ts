import { explainCommand, readSecret, verifyCommand, type VerifyOptions } from '../adapters/cli/verify.js'
import { usageFault } from '../adapters/cli/problem.js'
import { memoryLedger } from '../adapters/state/memory.js'
import type { State } from '../ports/deciding.js'
import { withPlace, type PlaceOptions } from './place.js'
import type { Shell } from './program.js'
import {
  createVerifier,
  fileAudit,
  postgresState,
  remoteVerifier,
  singleProcessState,
  sqliteState,
  type OpenVerifier,
  type Verifier,
  type VerifierOptions,
} from './verifier.js'

/** Options that say who verifies. */
export interface VerifierFlags extends PlaceOptions {
  /** path of the policy: verified here; without it by the service */
  readonly policy?: string
  /** `sqlite://path` or `postgres://…`: what was used and spent */
  readonly state?: string
  /** folder of the audit log */
  readonly audit?: string
  /** file with the bearer secret of the resource server */
  readonly secretFile?: string
}

/** Verifies, here or at a service. @returns the exit code */
export async function verify(given: string, options: VerifyOptions & VerifierFlags, shell: Shell): Promise<number> {
  const { terminal, environment } = shell
  const { policy, state: url, audit: folder, secretFile } = options
  return withPlace(options, environment, async place => {
    const { service, connect } = place
    if (policy !== undefined) {
      if (url === undefined || folder === undefined) throw usageFault(LOCAL)
      return withOpened(async opened => {
        const state = await openState(url, opened)
        const audit = await fileAudit(folder)
        opened.push(() => audit.close())
        const verifier = await openVerifier({ policy, state, audit, connect }, opened)
        return verifyCommand(given, options, { terminal, verifier })
      })
    }
    if (service === null) throw usageFault('--policy is due to verify here, or a service that verifies')
    const secret = await readSecret(secretFile, environment['PROCURA_SECRET'], terminal)
    // the secret says whose verifier it is
    const verifier = remoteVerifier({ self: service, service, secret, connect })
    return verifyCommand(given, options, { terminal, verifier: requestsOnly(verifier) })
  })
}

/** A service judges no chain without a request. */
function requestsOnly(verifier: Verifier): Pick<Verifier, 'decide'> {
  return { decide: (shown, received) => verifier.decide(shown, received) }
}

const LOCAL = '--policy goes with --state and --audit: what was used is remembered, and what was decided is on record'

/** Explains what `verify` would answer. @returns the exit code */
export async function explain(
  given: string,
  options: VerifyOptions & VerifierFlags & { readonly policy: string },
  { terminal, environment }: Shell,
): Promise<number> {
  const { policy, state: url } = options
  return withPlace(options, environment, ({ connect }) =>
    withOpened(async opened => {
      const state = url === undefined ? untouchedState() : await openState(url, opened)
      const verifier = await openVerifier({ policy, state, audit: NO_RECORD, connect }, opened)
      return explainCommand(given, options, { terminal, verifier })
    }),
  )
}

/** An explanation puts nothing on record. */
const NO_RECORD = { record: () => Promise.resolve() }

/** As if nothing had been used before: only for explanations, whose ledger is asked and never written. */
function untouchedState(): State {
  return { ...singleProcessState(), ledger: memoryLedger({ now: () => 0 }, { budgets: true }) }
}

type Opened = (() => Promise<unknown>)[]

async function withOpened<T>(run: (opened: Opened) => Promise<T>): Promise<T> {
  const opened: Opened = []
  try {
    return await run(opened)
  } finally {
    for (const close of opened.reverse()) await close()
  }
}

async function openVerifier(options: VerifierOptions, opened: Opened): Promise<OpenVerifier> {
  const verifier = await createVerifier(options)
  opened.push(() => verifier.close())
  return verifier
}

async function openState(url: string, opened: Opened): Promise<State> {
  const state = await (/^postgres(ql)?:/.test(url) ? postgresState(url) : sqliteState(fileOf(url)))
  opened.push(() => state.close())
  return state
}

function fileOf(url: string): string {
  const file = /^sqlite:\/\/(.+)$/s.exec(url)?.[1]
  if (file === undefined) throw usageFault('--state is sqlite://path or postgres://…')
  return file
}
