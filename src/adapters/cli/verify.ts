import { ProcuraError } from '../../errors.js'
import { statedRequest } from '../../presentation/presentation.js'
import type { ReceivedRequest } from '../../presentation/request.js'
import {
  formatDecision,
  formatExplanation,
  type Decision,
  type LocalVerifier,
  type Shown,
  type Verifier,
} from '../../verifier/verifier.js'
import { show, warn, type Output } from './output.js'
import { EXIT, usageFault } from './problem.js'
import { readRequest, type RequestOptions } from './request-options.js'
import { readShown, type ShownThing } from './shown.js'
import type { Terminal } from './terminal.js'

/** Options of `procura verify` and `procura explain`. */
export interface VerifyOptions extends RequestOptions, Output {
  readonly approval?: string
  /** where the verifier's state is, if it has one */
  readonly state?: string
}

/** What is said of an explanation that is given no state. */
const FORGETFUL = 'without --state nothing is known of earlier use: step 18 says what this call alone would do'

/** What is verified with: a verifier in this process, or one that asks a service. */
export interface VerifyWorld<V> {
  readonly terminal: Terminal
  readonly verifier: V
}

/** A verifier that may know only requests. */
export type RequestVerifier = Pick<Verifier, 'decide'> & Partial<Pick<LocalVerifier, 'explainChain'>>

/**
 * Decides whether a request may happen, and uses the presentation up; of a chain alone, whether it would do for one.
 *
 * @returns the exit code: 0 for a yes, else that of the refusal
 */
export async function verifyCommand(
  given: string,
  options: VerifyOptions,
  { terminal, verifier }: VerifyWorld<RequestVerifier>,
): Promise<number> {
  const shown = await readShown(given, terminal)
  if (shown.kind === 'chain') {
    if (verifier.explainChain === undefined) throw usageFault('a chain without a request is verified here: --policy')
    const explanation = await verifier.explainChain(shown.tokens)
    const { of, decision } = explanation
    show(terminal, options, { of, decision }, () => [formatDecision(decision, of)])
    return exitOf(explanation.decision)
  }
  const decision = await verifier.decide(toShown(shown), await received(shown, options, terminal))
  show(terminal, options, decision, () => [formatDecision(decision)])
  return exitOf(decision)
}

/**
 * Says what `verify` would answer, and why: the chain as a tree, and every step. Uses nothing up.
 *
 * @returns the exit code: 0 for a yes, else that of the refusal
 */
export async function explainCommand(
  given: string,
  options: VerifyOptions,
  { terminal, verifier }: VerifyWorld<Pick<LocalVerifier, 'explain' | 'explainChain'>>,
): Promise<number> {
  const shown = await readShown(given, terminal)
  const explanation =
    shown.kind === 'chain'
      ? await verifier.explainChain(shown.tokens)
      : await verifier.explain(toShown(shown), await received(shown, options, terminal))
  const warnings = shown.kind === 'chain' || options.state !== undefined ? [] : [FORGETFUL]
  warn(terminal, options, warnings)
  show(terminal, options, { ...explanation, warnings }, () => [formatExplanation(explanation)])
  return exitOf(explanation.decision)
}

function toShown(shown: Exclude<ShownThing, { kind: 'chain' }>): Shown {
  return shown.kind === 'proof' ? { proof: shown.token } : shown.token
}

/**
 * The request that is judged: what options say, and for the rest what the token says it was signed for, which a resource
 * server would derive itself. Parameters are never in a token.
 */
async function received(
  { kind, token }: Exclude<ShownThing, { kind: 'chain' }>,
  options: VerifyOptions,
  terminal: Terminal,
): Promise<ReceivedRequest> {
  const said = await readRequest(options, terminal)
  const signed = statedRequest(token, kind === 'proof' ? 'agent-proof+jwt' : 'vp+jwt')
  const { approval } = options
  return {
    method: said.method ?? signed.htm,
    url: said.url ?? signed.htu,
    bodyDigest: options.bodyFile === undefined ? (signed.bodyDigest ?? null) : said.bodyDigest,
    action: said.action ?? signed.action,
    resource: said.resource ?? signed.resource,
    params: said.params ?? {},
    ...(approval === undefined ? {} : { approval }),
  }
}

function exitOf(decision: Decision): number {
  return decision.allow ? 0 : EXIT[decision.kind]
}

/** Largest file with the secret of a resource server, in bytes. */
const MAX_SECRET = 4096

/** The bearer secret of a resource server, from a file or a variable: never from the command line. @throws NOT_FOUND, SCHEMA */
export async function readSecret(
  file: string | undefined,
  variable: string | undefined,
  terminal: Terminal,
): Promise<string> {
  const text =
    file === undefined ? (variable ?? '') : Buffer.from(await terminal.read(file, MAX_SECRET)).toString('utf8')
  if (/^[!-~]+$/.test(text.trim())) return text.trim()
  throw new ProcuraError('SCHEMA', {
    at: '--secret-file',
    why: 'or the variable PROCURA_SECRET is due: the secret of the resource server',
  })
}
