import type { Did, DidUrl } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import type { JsonObject } from '../json.js'
import type { UnixSeconds } from '../time.js'
import type { Relationship } from './deciding.js'

/** A key as a DID document lists it. */
export interface HostedKey {
  readonly kid: DidUrl
  readonly key: PublicKey
  /** at least one */
  readonly relationships: readonly Relationship[]
}

/** The keys of did:web names whose documents are served here. Every method throws STORAGE_UNAVAILABLE. */
export interface HostedDids {
  /** From now on the document lists exactly these keys. */
  publish(did: Did, keys: readonly HostedKey[]): Promise<void>
  /** From now on there is no document. True if there was one. */
  withdraw(did: Did): Promise<boolean>
  /** The keys, by `kid`; `null` if the DID is not hosted here. */
  find(did: Did): Promise<readonly HostedKey[] | null>
}

/** What is registered: people and organisations hold wallets too, but have no autonomy. */
export type SubjectKind = 'agent' | 'person' | 'organisation'

/** `retired` is for ever. */
export type SubjectState = 'active' | 'suspended' | 'retired'

/** Who may receive authority from a service. The registration stays while DID and key change. */
export interface Subject {
  /** UUID */
  readonly id: string
  readonly did: Did
  /** base64url of its current Ed25519 key */
  readonly key: string
  readonly kind: SubjectKind
  /** 1 to 128 printable characters */
  readonly name: string
  readonly state: SubjectState
  /** `id` of the subject that registered it as its sub-agent */
  readonly owner: string | null
  /** what its identity credential says; `null` for people and organisations */
  readonly agent: JsonObject | null
  readonly registeredAt: UnixSeconds
  /** when the registration ends by itself, with its task; `null` if never */
  readonly expiresAt: UnixSeconds | null
}

/** Which subjects are asked for. */
export interface SubjectQuery {
  /** those behind this `id`, in the order of ids */
  readonly after: string | null
  /** 1 to 200 */
  readonly limit: number
  readonly kind?: SubjectKind
  readonly state?: SubjectState
  readonly owner?: string
}

/** The register of a service. Every method throws STORAGE_UNAVAILABLE. */
export interface Subjects {
  /** False, and nothing is kept, if the DID or the key was ever registered. */
  add(subject: Subject): Promise<boolean>
  /** By `id` or current DID; `null` if there is none. */
  find(name: string): Promise<Subject | null>
  /** As `find`; until the transaction around it ends, nobody else changes that subject. */
  hold(name: string): Promise<Subject | null>
  /** Changes the state if it is one of `from`; true if it did. */
  move(id: string, from: readonly SubjectState[], to: SubjectState): Promise<boolean>
  /** Puts DID and key in place of the current ones. False if one of them was ever registered, its own DID excepted. */
  rekey(id: string, did: Did, key: string): Promise<boolean>
  list(query: SubjectQuery): Promise<readonly Subject[]>
  /** How many an owner has that are not retired and have not ended. */
  countOwned(owner: string, now: UnixSeconds): Promise<number>
}
