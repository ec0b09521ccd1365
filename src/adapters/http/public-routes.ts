import { OPERATIONS } from '../../api/operations.js'
import type { Did } from '../../did/did.js'
import type { Hosting } from '../../did/hosting.js'
import { signatureBackend } from '../../ed25519.js'
import { ProcuraError, toProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import { MAX_PRESENTATION } from '../../presentation/presentation.js'
import type { RequestLimits } from './limits.js'
import { PROBLEM, toProblem, toRefusal } from './problem.js'
import type { Serve } from './serve.js'

/** Resolves if a part of the service can do its work. @throws what keeps it from it */
export type Check = () => Promise<unknown>

/** What everybody may see. */
export interface PublicParts {
  /** the service's own https origin: what proofs are bound to */
  readonly origin: string
  /** the issuer's DID document */
  readonly document: () => Promise<JsonObject & { readonly id: Did }>
  /** documents of agents under paths of the origin */
  readonly hosting: Pick<Hosting, 'documentAt'>
  /** by name, what has to work for the service to be ready */
  readonly checks: Readonly<Record<string, Check>>
  readonly limits: RequestLimits
  /** `null`: nobody reads them here */
  readonly metrics: { text(): Promise<string> } | null
  /** aborted when the service begins to stop */
  readonly stopping: AbortSignal
}

/** Links of the longest chain that a policy can take. */
const MAX_LINKS = 8
/** Milliseconds that a check may take. */
const PATIENCE = 2000

/** DID documents, metadata, and whether the service is alive and ready. */
export function publicRoutes(serve: Serve, parts: PublicParts): void {
  const { origin, document, hosting, limits, stopping } = parts
  const checks: PublicParts['checks'] = { ...parts.checks, running: () => requireRunning(stopping) }
  serve(OPERATIONS.didDocument, () => document())

  serve({ ...OPERATIONS.hostedDocument, path: '/*' }, async ({ request }) => {
    // the path as it came: a decoded one would give an agent's document many names
    const hosted = await hosting.documentAt(request.raw.url ?? '')
    if (hosted === null) throw new ProcuraError('NOT_FOUND', { what: `route ${request.method} here` })
    return hosted as JsonObject & { readonly id: Did }
  })

  serve(OPERATIONS.metrics, async ({ reply }) => {
    if (parts.metrics === null) throw new ProcuraError('NOT_FOUND', { what: 'metrics here' })
    void reply.header('cache-control', 'no-store')
    return parts.metrics.text()
  })

  serve(OPERATIONS.metadata, async () => ({
    issuer: (await document()).id,
    did_document: `${origin}/.well-known/did.json`,
    verify: `${origin}/v1/verify`,
    challenges: `${origin}/v1/challenges`,
    chains: `${origin}/v1/chains/`,
    status_lists: `${origin}/v1/status/`,
    events: `${origin}/v1/events`,
    openapi: `${origin}/openapi.json`,
    formats: ['vc+jwt', 'vp+jwt', 'agent-proof+jwt', 'agent-approval+jwt', 'secevent+jwt'],
    algorithms: ['EdDSA'],
    limits: { body_bytes: limits.body, chain_links: MAX_LINKS, presentation_characters: MAX_PRESENTATION },
  }))

  serve(OPERATIONS.healthz, () => Promise.resolve({ status: 'ok' as const }))

  serve(OPERATIONS.readyz, async ({ reply }) => {
    const names = Object.keys(checks)
    const all = await Promise.all(names.map(async name => [name, await resultOf(checks[name])] as const))
    const ready = all.every(([, { ok }]) => ok)
    const answer = { ready, checks: Object.fromEntries(all), signatures: signatureBackend() }
    void reply.header('cache-control', 'no-store')
    if (answer.ready) return answer
    const failing = all.filter(([, { ok }]) => !ok).map(([name]) => name)
    const error = new ProcuraError('SERVICE_UNAVAILABLE', { service: origin, why: failing.join(', ') })
    return reply
      .code(503)
      .header('retry-after', '1')
      .type(PROBLEM)
      .send({ ...toProblem(toRefusal(error), true), ...answer })
  })
}

function requireRunning({ aborted }: AbortSignal): Promise<void> {
  if (!aborted) return Promise.resolve()
  return Promise.reject(new ProcuraError('SERVICE_UNAVAILABLE', { service: 'this one', why: 'it stops' }))
}

/** Of what is wrong only the code is told: the rest is for the log. */
async function resultOf(check: Check | undefined): Promise<{ readonly ok: boolean; readonly why?: string }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ProcuraError('SERVICE_UNAVAILABLE', { service: '', why: '' })), PATIENCE)
  })
  try {
    await Promise.race([check?.(), late])
    return { ok: true }
  } catch (error) {
    return { ok: false, why: toProcuraError(error).code }
  } finally {
    clearTimeout(timer)
  }
}
