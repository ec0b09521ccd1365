import { createHash } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Store } from '../../src/adapters/store/store.js'
import type { Did } from '../../src/did/did.js'
import { digestOf } from '../../src/encoding.js'
import type { Lease, StoredCredential } from '../../src/ports/issuing.js'

/** Opens a store; a second call with the same `place` opens the same database again. */
export interface Backend {
  readonly name: string
  /** a database nobody has used */
  place(): Promise<string>
  open(place: string, listLength?: number): Promise<Store>
  /** how many leases at once are many */
  readonly leases: number
}

export const NOW = 1_793_000_000
export const alice: Did = 'did:key:z6MkAlice'
export const mallory: Did = 'did:key:z6MkMallory'

/** A credential that is told from others by `name`. */
export function credentialOf(name: string, change: Partial<StoredCredential> = {}): StoredCredential {
  return {
    digest: digestOf(`head.${name}`),
    id: `urn:uuid:${name}`,
    issuer: 'did:key:z6MkOwner',
    subject: alice,
    parent: null,
    issuedAt: NOW,
    validUntil: NOW + 3600,
    token: `head.${name}.signature`,
    key: 'A'.repeat(43),
    status: { url: 'https://status.example/lists/1', index: 94_567 },
    suspension: null,
    ...change,
  }
}

/** Asks for status indexes of revocation, for credentials of an hour. */
export function leaseOf(issuer: Did, count: number, change: Partial<Lease> = {}): Lease {
  return { issuer, count, purpose: 'revocation', validUntil: NOW + 3600, now: NOW, ...change }
}

/** A key as Veramo's key manager hands it to its store. */
export function keyOf(name: string): { kid: string; kms: string; type: 'Ed25519'; publicKeyHex: string } {
  return { kid: name, kms: 'local', type: 'Ed25519', publicKeyHex: createHash('sha256').update(name).digest('hex') }
}

/** A DID as Veramo's DID manager hands it to its store. */
export function identifierOf(name: string) {
  const did = `did:example:${name}`
  const service = { id: `${did}#s`, type: 'Agent', serviceEndpoint: 'https://agent.example/' }
  return { did, provider: 'did:example', controllerKeyId: name, keys: [keyOf(name)], services: [service] }
}

/** What `work` was refused with. */
export async function refusal(work: () => Promise<unknown>): Promise<unknown> {
  try {
    await work()
  } catch (error) {
    return error
  }
  throw new Error('it was not refused')
}

/** `count` results of `make`, all under way at once. */
export function together<T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, n) => make(n)))
}

/** Resolves after other work had its turn. */
export function later(milliseconds = 0): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

/** A folder of its own, names of files that do not exist yet, each in a folder that does not either, and their end. */
export function temporaryFiles(): { folder: string; freshFile: () => string; clean: () => Promise<void> } {
  const folder = mkdtempSync(join(tmpdir(), 'procura-store-'))
  let files = 0
  return {
    folder,
    freshFile: () => join(folder, `${(files += 1)}`, 'store.db'),
    clean: () => rm(folder, { recursive: true, force: true }),
  }
}
