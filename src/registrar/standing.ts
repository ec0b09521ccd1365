import { agentShape, type AgentProfile } from '../credential/identity.js'
import type { Did } from '../did/did.js'
import { parsePublicKey, type PublicKey } from '../ed25519.js'
import { ProcuraError } from '../errors.js'
import type { Subject, Subjects } from '../ports/register.js'
import type { Clock } from '../ports/world.js'
import { read } from '../shape.js'

/** Who asks, already authenticated. */
export interface Caller {
  readonly did: Did
  readonly isAdmin: boolean
}

/** What a caller can be to a subject. */
export type Relation = 'owner' | 'self'

/** Owners above a subject, at most. */
export const MAX_OWNERS = 8

/** What is asked of the register before anything is done with a subject. */
export interface Standing {
  /** The subject, held against changes for the rest of the transaction. @throws SUBJECT_UNKNOWN */
  readonly hold: (did: Did) => Promise<Subject>
  /** It is active, has not ended, and so are all its owners. @throws SUBJECT_STATE */
  readonly requireActive: (subject: Subject) => Promise<void>
  /**
   * The subject, held, if the caller may deal with it: an admin, or one of `who` that is active itself. A stranger learns
   * no more than of one that is not there.
   *
   * @throws CALLER_FORBIDDEN, NOT_FOUND, SUBJECT_STATE
   */
  readonly dealWith: (did: Did, what: string, by: Caller, who: readonly Relation[]) => Promise<Subject>
  /** Owners above it. */
  readonly depthOf: (subject: Subject) => Promise<number>
}

/** Over a register and a clock. */
export function createStanding(subjects: Subjects, clock: Clock): Standing {
  async function hold(did: Did): Promise<Subject> {
    const subject = await subjects.hold(did)
    if (subject === null) throw new ProcuraError('SUBJECT_UNKNOWN', { did })
    return subject
  }

  async function requireActive(subject: Subject, owners = 0): Promise<void> {
    const { did, state, expiresAt, owner } = subject
    if (state !== 'active') throw new ProcuraError('SUBJECT_STATE', { did, state })
    if (expiresAt !== null && expiresAt <= clock.now()) throw new ProcuraError('SUBJECT_STATE', { did, state: 'ended' })
    if (owner === null) return
    const above = owners < MAX_OWNERS ? await subjects.find(owner) : null
    if (above === null) throw new ProcuraError('SUBJECT_STATE', { did, state: 'without an owner' })
    await requireActive(above, owners + 1)
  }

  async function depthOf({ owner }: Subject): Promise<number> {
    const above = owner === null ? null : await subjects.find(owner)
    return above === null ? 0 : 1 + (await depthOf(above))
  }

  return {
    hold,
    requireActive: subject => requireActive(subject),
    depthOf,
    async dealWith(did, what, by, who) {
      const subject = await subjects.hold(did)
      if (!by.isAdmin) {
        const owner = subject?.owner ?? null
        const isSelf = who.includes('self') && subject?.did === by.did
        const isOwn = who.includes('owner') && owner !== null && (await subjects.find(owner))?.did === by.did
        if (!isSelf && !isOwn) throw new ProcuraError('CALLER_FORBIDDEN', { caller: by.did, what: `${what} ${did}` })
        await requireActive(await hold(by.did))
      }
      if (subject === null) throw new ProcuraError('NOT_FOUND', { what: `subject ${did}` })
      return subject
    },
  }
}

/** The subject's current key. @throws KEY_WEAK */
export function keyOf({ key, did }: Subject): PublicKey {
  return parsePublicKey(Buffer.from(key, 'base64url'), `the registered key of ${did}`)
}

/** What is said of an agent; `null` for people and organisations. @throws SCHEMA, CAVEAT_UNKNOWN */
export function profileOf({ agent }: Subject): AgentProfile | null {
  return agent === null ? null : read(agentShape, agent, 'agent')
}
