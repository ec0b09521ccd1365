import type { z } from 'zod'
import type { revocationAnswer } from '../../api/answers.js'
import type { RevocationBody } from '../../api/bodies.js'
import { OPERATIONS } from '../../api/operations.js'
import type { Did } from '../../did/did.js'
import { isProcuraError, ProcuraError } from '../../errors.js'
import type { Changed, StatusChange } from '../../issuer/change.js'
import type { Issuer } from '../../issuer/issuer.js'
import type { Subjects, SubjectState } from '../../ports/register.js'
import type { Caller, Registrar } from '../../registrar/registrar.js'
import type { Serve } from './serve.js'

type Answer = z.input<typeof revocationAnswer>
type Result = Extract<Answer, { readonly results: unknown }>['results'][number]

/** What these routes answer with. */
export interface StatusParts {
  readonly issuer: Issuer
  readonly registrar: Pick<Registrar, 'retire' | 'suspend' | 'resume'>
  readonly subjects: Pick<Subjects, 'find'>
}

/** Status lists, leases of their indexes, and changes of status. */
export function statusRoutes(serve: Serve, { issuer, registrar, subjects }: StatusParts): void {
  serve(OPERATIONS.statusList, async ({ params }) => (await issuer.list(params.list)).token)

  serve(
    OPERATIONS.allocate,
    ({ body: { chain, count }, by }) => issuer.leaseUnder(chain, by.did, count),
    ({ body: { chain }, by }) => issuer.requireHolder(chain, by.did).catch(requireFound),
  )

  serve(OPERATIONS.publish, async ({ by: { did, isAdmin } }) => {
    if (!isAdmin) throw new ProcuraError('CALLER_FORBIDDEN', { caller: did, what: 'publish' })
    return { lists: await issuer.tend() }
  })

  serve(OPERATIONS.revoke, async ({ body, by: who }) => {
    const { did: by, isAdmin } = who
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

/** What could not be looked up would not be found a moment later; whatever else is wrong is refused where it is done. */
function requireFound(error: unknown): void {
  if (!isProcuraError(error) || error.code.startsWith('DID_')) throw error
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

async function change(issuer: Issuer, body: RevocationBody, by: Did, isAdmin: boolean): Promise<Answer> {
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

async function blast(issuer: Issuer, body: RevocationBody, by: Did, isAdmin: boolean): Promise<Answer> {
  const { credential, chain, revocations, agent } = body
  const named = agent === undefined ? (revocations ?? [credential ?? chain ?? []]) : await issuer.concerning(agent)
  return issuer.blastOf(named, by, isAdmin)
}

function toResult(one: Changed): Result {
  return isProcuraError(one) ? { code: one.code, detail: one.message } : one
}
