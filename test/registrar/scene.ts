import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { systemIds } from '../../src/adapters/system.js'
import type { Did } from '../../src/did/did.js'
import { createHosting, type Hosting } from '../../src/did/hosting.js'
import { createIssuer, type Issuer } from '../../src/issuer/issuer.js'
import type { JsonObject } from '../../src/json.js'
import { parseIssuingPolicy, type IssuingPolicy } from '../../src/policy/issuing.js'
import { createRegistrar, type Caller, type Registrar } from '../../src/registrar/registrar.js'
import { issuingAs, NOW, owner, party, type Party } from '../mint.js'

export const BASE = 'https://travel.example/v1/status/'
export const admin: Caller = { did: party('admin').did, isAdmin: true }
export const as = ({ did }: { readonly did: Did }): Caller => ({ did, isAdmin: false })

export const POLICY_JSON = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../data/policies/issuing.json'), 'utf8'),
) as JsonObject

/** The policy of the package, with actions of known risk. */
export const issuingPolicy = (change: JsonObject = {}): IssuingPolicy =>
  parseIssuingPolicy({ ...POLICY_JSON, risk: { pay: 'critical', deploy: 'high', book: 'medium' }, ...change })

export interface Scene {
  readonly store: Store
  readonly issuer: Issuer
  readonly registrar: Registrar
  readonly hosting: Hosting
  /** seconds since 1970, as everybody here sees it */
  now: number
}

/** A registrar over a real store and a real issuer; only its clock is ours. */
export async function openScene(policy = issuingPolicy(), storage = 'sqlite::memory:'): Promise<Scene> {
  const store = await openStore(storage)
  const clock = { now: (): number => scene.now }
  const keys = { find: () => Promise.resolve(null), all: () => Promise.resolve([]) }
  const ports = {
    ...store,
    clock,
    ids: systemIds,
    keys,
    transaction: store.transaction.bind(store),
    marker: { reached: 0, raise: () => Promise.resolve() },
    audit: { record: () => Promise.resolve() },
    nextSecond: () => Promise.resolve(void (scene.now += 1)),
  }
  const issuer = createIssuer({ keys: issuingAs(owner), statusBase: BASE }, ports)
  const hosting = createHosting(owner.did, store.hostedDids)
  const registrar = createRegistrar(policy, { ...ports, issuance: issuer, hosting })
  const scene: Scene = { store, issuer, registrar, hosting, now: NOW }
  return scene
}

export const PROFILE: JsonObject = { operator: 'did:web:acme.example', autonomy: 'L2', risk: 'low' }

/** What registers an agent, or who else is said. */
export const registrationOf = (who: Party, agent: JsonObject | null = PROFILE, ttl?: number) => ({
  kind: agent === null ? ('person' as const) : ('agent' as const),
  did: who.did,
  key: who.publicKey,
  name: 'planner',
  ...(agent === null ? {} : { agent }),
  ...(ttl === undefined ? {} : { ttl }),
})

export const AUTHORITY = {
  audience: ['https://api.travel.example'],
  grants: [{ resource: 'https://api.travel.example/bookings/**', actions: ['book'] }],
}
