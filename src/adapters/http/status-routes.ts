import { createHash } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import type { Did } from '../../did/did.js'
import { isProcuraError, ProcuraError } from '../../errors.js'
import type { Changed, StatusChange } from '../../issuer/change.js'
import type { Issuer } from '../../issuer/issuer.js'
import type { Subjects, SubjectState } from '../../ports.js'
import type { Caller, Registrar } from '../../registrar/registrar.js'
import { allocationBody, emptyBody, parseBody, revocationBody, type RevocationBody } from './bodies.js'
import type { ProvedCaller } from './callers.js'

/** Status lists may be kept this long by caches in between (profile §8.1). */
const LIST_CACHE = 'public, max-age=5, must-revalidate'

/** What these routes answer with. */
export interface StatusParts {
  readonly issuer: Issuer
  readonly registrar: Pick<Registrar, 'retire' | 'suspend' | 'resume'>
  readonly subjects: Pick<Subjects, 'find'>
}

/** Status lists, leases of their indexes, and changes of status. */
export function statusRoutes(
  app: FastifyInstance,
  { issuer, registrar, subjects }: StatusParts,
  caller: ProvedCaller,
): void {
  app.get<{ Params: { list: string } }>('/v1/status/:list', async (request, reply) => {
    const { token } = await issuer.list(request.params.list)
    const etag = `"${createHash('sha256').update(token).digest('base64url')}"`
    void reply.header('etag', etag).header('cache-control', LIST_CACHE)
    if (request.headers['if-none-match'] === etag) return reply.code(304).send()
    return reply.type('application/vc+jwt').send(token)
  })

  app.post('/v1/status/allocations', async (request, reply) => {
    const { did: holder } = await caller(request, 'leases')
    const { chain, count } = parseBody(allocationBody, request.body)
    return reply.code(201).send(await issuer.leaseUnder(chain, holder, count))
  })

  app.post('/v1/status/publications', async request => {
    const { did, isAdmin } = await caller(request)
    parseBody(emptyBody, request.body)
    if (!isAdmin) throw new ProcuraError('CALLER_FORBIDDEN', { caller: did, what: 'publish' })
    return { lists: await issuer.tend() }
  })

  app.post('/v1/revocations', async request => {
    const who = await caller(request)
    const { did: by, isAdmin } = who
    const body = parseBody(revocationBody, request.body)
    if (body.dryRun === true) return blast(issuer, body, by, isAdmin)
    const answer = await change(issuer, body, by, isAdmin)
    if (isAdmin && body.agent !== undefined) await register(body.agent, body.change ?? 'revoke', who)
    return answer
  })

  /** The register follows: who was stopped gets nothing new, and comes back under no other key. */
  async function register(agent: Did, how: StatusChange, by: Caller): Promise<void> {
    const { verb, from } = MOVES[how]
    const state = (await subjects.find(agent))?.state
    if (state !== undefined && from.includes(state)) await registrar[verb](agent, by)
  }
}

interface Move {
  readonly verb: keyof StatusParts['registrar']
  readonly from: readonly SubjectState[]
}

const MOVES: Readonly<Record<StatusChange, Move>> = {
  revoke: { verb: 'retire', from: ['active', 'suspended'] },
  suspend: { verb: 'suspend', from: ['active'] },
  resume: { verb: 'resume', from: ['suspended'] },
}

async function change(issuer: Issuer, body: RevocationBody, by: Did, isAdmin: boolean): Promise<object> {
  const { credential, chain, revocations, agent, issuer: of, before, change: how = 'revoke' } = body
  if (revocations !== undefined) {
    return { results: (await issuer.changeAll(revocations, how, by, isAdmin)).map(toResult) }
  }
  if (of !== undefined && before !== undefined) {
    const { revoked, unseen } = await issuer.revokeIssuedBefore(of, before, by, isAdmin)
    return { issuer: of, changed: revoked.length, unseen }
  }
  if (agent === undefined) return issuer.change(credential ?? chain ?? [], how, by, isAdmin)
  const stop = { revoke: 'kill', suspend: 'suspendSubject', resume: 'resumeSubject' } as const
  if (isAdmin) return { agent, changed: (await issuer[stop[how]](agent, by)).length }
  // who is no admin takes back what stands below credentials of his own
  const all = await issuer.changeAll(await issuer.concerning(agent), how, by, false)
  const changed = all.filter(one => !isProcuraError(one)).length
  if (changed === 0) throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: `${how} ${agent}` })
  return { agent, changed }
}

async function blast(issuer: Issuer, body: RevocationBody, by: Did, isAdmin: boolean): Promise<object> {
  const { credential, chain, revocations, agent } = body
  const named = agent === undefined ? (revocations ?? [credential ?? chain ?? []]) : await issuer.concerning(agent)
  return issuer.blastOf(named, by, isAdmin)
}

function toResult(one: Changed): object {
  return isProcuraError(one) ? { code: one.code, detail: one.message } : one
}
