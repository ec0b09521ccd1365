import type { AuthorityDraft } from '../authority/authority.js'
import type { AgentProfile } from '../credential/identity.js'
import type { Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { Hosting } from '../did/hosting.js'
import { ProcuraError } from '../errors.js'
import { checkGrant, classOf, type IssuingPolicy } from '../policy/issuing.js'
import type { StoredCredential } from '../ports/issuing.js'
import type { Subject, SubjectQuery, Subjects, SubjectState } from '../ports/register.js'
import type { Clock, Ids, Transactions } from '../ports/world.js'
import { register, type Registration } from './registration.js'
import { createStanding, keyOf, profileOf, type Caller } from './standing.js'

export type { Registration } from './registration.js'
export type { Caller } from './standing.js'

/** What a registrar asks of the issuer beside it. Each joins the transaction it is called in. */
export interface Issuance {
  /** Issues a root capability; `listed`: with a status entry, though it may live too short to need one. */
  grant(request: {
    readonly to: Did
    readonly key: PublicKey
    readonly authority: AuthorityDraft
    readonly ttl: number
    readonly listed: boolean
    /** who asked for it */
    readonly by: Did
  }): Promise<StoredCredential>
  /** Issues the credential that says who an agent is; it grants nothing. */
  identify(request: {
    readonly to: Did
    readonly key: PublicKey
    readonly agent: AgentProfile
    readonly ttl: number
  }): Promise<StoredCredential>
  /**
   * Issues the roots that `from` holds of this issuer anew, to another DID or key, for the rest of their lives, and revokes
   * all it holds: of identity credentials there is only ever a fresh one.
   *
   * @param by - who asked for it
   */
  reissue(from: Did, to: Did, key: PublicKey, by: Did): Promise<readonly StoredCredential[]>
  /** Stops a subject for good: what it holds or issued is revoked, and it is announced. */
  kill(did: Did, by: Did): Promise<unknown>
  /** Suspends what was issued to a subject here and can be suspended. */
  suspendSubject(did: Did, by: Did): Promise<unknown>
  /** Takes it up again. */
  resumeSubject(did: Did, by: Did): Promise<unknown>
}

/** What a registrar needs of the world. */
export interface RegistrarPorts extends Transactions {
  readonly clock: Clock
  readonly ids: Ids
  readonly subjects: Subjects
  readonly issuance: Issuance
  /** documents of subjects whose did:web lies below the service's own */
  readonly hosting: Hosting
}

/** A subject, and its identity credential if it is an agent. */
export interface Registered {
  readonly subject: Subject
  readonly identity: StoredCredential | null
}

/** Keeps the register: who may receive authority here, in which state, owned by whom. */
export interface Registrar {
  /**
   * Registers a subject. An admin registers anybody; an active subject its own sub-agents, within the limits of its class.
   *
   * @throws SCHEMA, CAVEAT_UNKNOWN, SUBJECT_EXISTS, SUBJECT_UNKNOWN, SUBJECT_STATE, SUBJECT_LIMIT
   */
  register(registration: Registration, by: Caller): Promise<Registered>
  /** As its admin, owner or itself. @throws NOT_FOUND, CALLER_FORBIDDEN */
  show(did: Did, by: Caller): Promise<Subject>
  /** As an admin. @throws CALLER_FORBIDDEN */
  list(query: SubjectQuery, by: Caller): Promise<readonly Subject[]>
  /** Suspends a subject and what it holds. By an admin or its owner. @throws NOT_FOUND, CALLER_FORBIDDEN, SUBJECT_STATE */
  suspend(did: Did, by: Caller): Promise<Subject>
  /** Takes it up again. By an admin or its owner. @throws as `suspend` */
  resume(did: Did, by: Caller): Promise<Subject>
  /**
   * Ends a subject for good, and its sub-agents with it: what was issued to them here is revoked, and it is announced that
   * they were stopped. By an admin, its owner or itself. @throws as `suspend`
   */
  retire(did: Did, by: Caller): Promise<Subject>
  /**
   * Puts another key in place, and for a DID that is its key another DID; the registration stays. What it holds of this
   * issuer is issued anew to the new key, and revoked for the old one. By an admin or itself.
   *
   * @throws NOT_FOUND, CALLER_FORBIDDEN, SUBJECT_STATE, SUBJECT_EXISTS
   */
  rotate(did: Did, to: Did, key: PublicKey, by: Caller): Promise<Rotated>
  /** A fresh identity credential. By an admin, its owner or itself. @throws NOT_FOUND, CALLER_FORBIDDEN, SUBJECT_STATE, SCHEMA */
  identify(did: Did, by: Caller): Promise<StoredCredential>
  /**
   * Grants a root capability to a subject, within what the issuing policy allows its class. By an admin.
   *
   * @throws CALLER_FORBIDDEN, SUBJECT_UNKNOWN, SUBJECT_STATE, GRANT_REFUSED, and what the issuer throws
   */
  grant(request: SubjectGrant, by: Caller): Promise<StoredCredential>
  /** The subject, if it is active and all its owners are. @throws SUBJECT_UNKNOWN, SUBJECT_STATE */
  requireActive(did: Did): Promise<Subject>
}

/** A subject under its new key, and the roots it holds from now on. */
export interface Rotated extends Registered {
  readonly credentials: readonly StoredCredential[]
}

/** A request for a root capability. */
export interface SubjectGrant {
  readonly to: Did
  readonly authority: AuthorityDraft
  /** seconds */
  readonly ttl: number
}

/** Longest life of an identity credential, in seconds. */
const IDENTITY_TTL = 86_400

/** A registrar over its register, under an issuing policy. */
export function createRegistrar(policy: IssuingPolicy, ports: RegistrarPorts): Registrar {
  const { clock, subjects, issuance, hosting } = ports
  const standing = createStanding(subjects, clock)
  const { hold, requireActive, dealWith } = standing

  async function move(subject: Subject, from: readonly SubjectState[], to: SubjectState): Promise<Subject> {
    const { id, did, state } = subject
    if (!from.includes(state) || !(await subjects.move(id, from, to))) {
      throw new ProcuraError('SUBJECT_STATE', { did, state })
    }
    return { ...subject, state: to }
  }

  /** A name below the service's own is resolved here: its document lists the registered key. @throws SCHEMA */
  async function host(subject: Subject): Promise<void> {
    const { did, key } = subject
    if (!did.startsWith(`${hosting.did}:`)) return
    const named = `${did}#${Buffer.from(key, 'base64url').toString('hex')}` as const
    const listed = { kid: named, key: keyOf(subject), relationships: ['authentication', 'assertionMethod'] } as const
    await hosting.publish(did, [listed])
  }

  /** Ends a subject and all it owns, the deepest first. */
  async function end(subject: Subject, by: Did): Promise<Subject> {
    for (let after: string | null = null; ;) {
      const owned: readonly Subject[] = await subjects.list({ after, limit: 200, owner: subject.id })
      for (const one of owned) if (one.state !== 'retired') await end(one, by)
      after = owned.at(-1)?.id ?? null
      if (after === null) break
    }
    const ended = await move(subject, ['active', 'suspended'], 'retired')
    await hosting.withdraw(subject.did)
    await issuance.kill(subject.did, by)
    return ended
  }

  /** An identity credential for the rest of the registration, a day at most. */
  async function identityOf(subject: Subject): Promise<StoredCredential> {
    const agent = profileOf(subject)
    if (agent === null) throw new ProcuraError('SCHEMA', { at: subject.did, why: 'is no agent' })
    const left = (subject.expiresAt ?? Infinity) - clock.now()
    return issuance.identify({ to: subject.did, key: keyOf(subject), agent, ttl: Math.min(IDENTITY_TTL, left) })
  }

  return {
    register: (registration, by) =>
      ports.transaction(async () => {
        const subject = await register(registration, by, policy, standing, ports)
        await host(subject)
        return { subject, identity: subject.agent === null ? null : await identityOf(subject) }
      }),

    show: (did, by) => ports.transaction(() => dealWith(did, 'see', by, ['owner', 'self'])),

    async list(query, by) {
      if (!by.isAdmin) throw new ProcuraError('CALLER_FORBIDDEN', { caller: by.did, what: 'list subjects' })
      return subjects.list(query)
    },

    suspend: (did, by) =>
      ports.transaction(async () => {
        const suspended = await move(await dealWith(did, 'suspend', by, ['owner']), ['active'], 'suspended')
        await issuance.suspendSubject(did, by.did)
        return suspended
      }),

    resume: (did, by) =>
      ports.transaction(async () => {
        const resumed = await move(await dealWith(did, 'resume', by, ['owner']), ['suspended'], 'active')
        await issuance.resumeSubject(did, by.did)
        return resumed
      }),

    retire: (did, by) =>
      ports.transaction(async () => end(await dealWith(did, 'retire', by, ['owner', 'self']), by.did)),

    rotate: (did, to, key, by) =>
      ports.transaction(async () => {
        const subject = await dealWith(did, 'rotate the key of', by, ['self'])
        if (subject.state === 'retired') throw new ProcuraError('SUBJECT_STATE', { did, state: subject.state })
        if (!(await subjects.rekey(subject.id, to, key.x))) throw new ProcuraError('SUBJECT_EXISTS', { did: to })
        const rotated = { ...subject, did: to, key: key.x }
        if (to !== did) await hosting.withdraw(did)
        await host(rotated)
        const credentials = await issuance.reissue(did, to, key, by.did)
        const identity = rotated.agent === null ? null : await identityOf(rotated)
        if (subject.state === 'suspended') await issuance.suspendSubject(to, by.did)
        return { subject: rotated, identity, credentials }
      }),

    identify: (did, by) =>
      ports.transaction(async () => {
        const subject = await dealWith(did, 'identify', by, ['owner', 'self'])
        await requireActive(subject)
        return identityOf(subject)
      }),

    grant: ({ to, authority, ttl }, by) =>
      ports.transaction(async () => {
        if (!by.isAdmin) throw new ProcuraError('CALLER_FORBIDDEN', { caller: by.did, what: 'grant' })
        const subject = await hold(to)
        await requireActive(subject)
        const bounds = classOf(profileOf(subject), policy)
        const checked = checkGrant(authority, ttl, bounds, policy)
        if (subject.expiresAt !== null && clock.now() + ttl > subject.expiresAt) {
          throw new ProcuraError('GRANT_REFUSED', { why: `it would outlive the registration of ${to}` })
        }
        const listed = bounds.status === 'always'
        return issuance.grant({ to, key: keyOf(subject), authority: checked, ttl, listed, by: by.did })
      }),

    async requireActive(did) {
      const subject = await subjects.find(did)
      if (subject === null) throw new ProcuraError('SUBJECT_UNKNOWN', { did })
      await requireActive(subject)
      return subject
    },
  }
}
