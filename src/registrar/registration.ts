import { agentShape, AUTONOMY, type AgentProfile } from '../credential/identity.js'
import { ProcuraError } from '../errors.js'
import type { Json, JsonObject } from '../json.js'
import { classOf, type IssuingPolicy } from '../policy/issuing.js'
import type { Subject, SubjectKind, Subjects } from '../ports/register.js'
import type { Clock, Ids } from '../ports/world.js'
import { read, text } from '../shape.js'
import type { UnixSeconds } from '../time.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { MAX_OWNERS, profileOf, type Caller, type Standing } from './standing.js'

/** A request to be registered. */
export interface Registration {
  readonly kind: SubjectKind
  readonly did: Did
  /** the subject's current key */
  readonly key: PublicKey
  /** 1 to 128 printable characters */
  readonly name: string
  /** of an agent, and of nobody else (profile §3.1); `name`, and for a sub-agent `operator`, are filled in */
  readonly agent?: JsonObject
  /** seconds after which the registration ends by itself */
  readonly ttl?: number
}

/** What registering needs. */
export interface RegistrationPorts {
  readonly clock: Clock
  readonly ids: Ids
  readonly subjects: Subjects
}

const NAME = text(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,128}$/u)

/**
 * Puts a subject into the register. An admin registers anybody; an active subject its own sub-agents, within the limits
 * of its class and of itself.
 *
 * @throws SCHEMA, CAVEAT_UNKNOWN, SUBJECT_EXISTS, SUBJECT_UNKNOWN, SUBJECT_STATE, SUBJECT_LIMIT
 */
export async function register(
  { kind, did, key, name, agent, ttl }: Registration,
  by: Caller,
  policy: IssuingPolicy,
  standing: Standing,
  { clock, ids, subjects }: RegistrationPorts,
): Promise<Subject> {
  const owner = by.isAdmin ? null : await standing.hold(by.did)
  if (owner !== null) await standing.requireActive(owner)
  const profile = toProfile(kind, name, agent, owner)
  const now = clock.now()
  const subject: Subject = {
    id: ids.uuid(),
    did,
    key: key.x,
    kind,
    name: read(NAME, name, 'name'),
    state: 'active',
    owner: owner?.id ?? null,
    agent: profile as unknown as JsonObject | null,
    registeredAt: now,
    expiresAt: ttl === undefined ? null : now + ttl,
  }
  if (owner !== null) await requireWithin(owner, profile, subject.expiresAt)
  if (!(await subjects.add(subject))) throw new ProcuraError('SUBJECT_EXISTS', { did })
  return subject

  /** Count, life, autonomy, risk and operator of a sub-agent. */
  async function requireWithin(
    owner: Subject,
    agent: AgentProfile | null,
    expiresAt: UnixSeconds | null,
  ): Promise<void> {
    const refuse = (why: string): ProcuraError => new ProcuraError('SUBJECT_LIMIT', { owner: owner.did, why })
    const above = profileOf(owner)
    const { max, maxTtl } = classOf(above, policy).subAgents
    if (agent === null) throw refuse('only an admin registers people and organisations')
    if (expiresAt === null || expiresAt - now > maxTtl) throw refuse(`it must end within ${maxTtl} s`)
    if (owner.expiresAt !== null && expiresAt > owner.expiresAt) throw refuse('it would outlive its owner')
    if ((await subjects.countOwned(owner.id, now)) >= max) throw refuse(`at most ${max} at a time`)
    if ((await standing.depthOf(owner)) >= MAX_OWNERS) throw refuse(`${MAX_OWNERS} owners stand above it already`)
    if (above === null) return
    if (AUTONOMY.indexOf(agent.autonomy) > AUTONOMY.indexOf(above.autonomy)) {
      throw refuse(`autonomy ${agent.autonomy} is above its owner's ${above.autonomy}`)
    }
    if (above.risk === 'low' && agent.risk === 'high') throw refuse("its risk is above its owner's")
    if (agent.operator !== above.operator) throw refuse(`its operator is not ${above.operator}`)
  }
}

/** What is said of an agent, read as its identity credential will be. */
function toProfile(
  kind: SubjectKind,
  name: string,
  agent: JsonObject | undefined,
  owner: Subject | null,
): AgentProfile | null {
  if (kind === 'agent') {
    const operator: Json | undefined = owner?.agent?.['operator'] ?? owner?.did
    return read(agentShape, { name, ...(operator === undefined ? {} : { operator }), ...agent }, 'agent')
  }
  if (agent !== undefined) throw new ProcuraError('SCHEMA', { at: 'agent', why: `is not for a ${kind}` })
  return null
}
