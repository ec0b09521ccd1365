import { openStore, type Store } from '../../src/adapters/store/store.js'
import { digestOf } from '../../src/encoding.js'
import { systemIds } from '../../src/adapters/system.js'
import { createIssuer, type Issuer, type IssuerPorts } from '../../src/issuer/issuer.js'
import type { StatusPlace, StoredCredential } from '../../src/ports/issuing.js'
import { toStatusJson } from '../../src/status/entry.js'
import { bitAt, decodeList } from '../../src/status/bitstring.js'
import { issuingAs, mint, NOW, owner, planner, SELF, type Minted, type Party } from '../mint.js'

export const BASE = 'https://travel.example/v1/status/'

/** An issuer over a real store; the clock moves when somebody waits for its next second. */
export interface Scene {
  readonly store: Store
  readonly issuer: Issuer
  /** what was put on record */
  readonly records: Record<string, unknown>[]
  /** signatures of status lists, by second */
  readonly signed: number[]
  now: number
  grant: (to?: Party, ttl?: number) => Promise<StoredCredential>
  /** a delegation under one that is kept here, which the service never saw */
  delegate: (above: readonly StoredCredential[] | readonly string[], by: Party, to: Party) => Promise<Unseen>
  isSet: (place: StatusPlace | null) => Promise<boolean>
  announced: () => Promise<readonly string[]>
}

/** A chain whose last link nobody but its holder knows. */
export interface Unseen {
  readonly chain: readonly string[]
  readonly digest: string
  readonly place: StatusPlace
}

export async function openScene(broken: Partial<IssuerPorts> = {}, by: Party = owner): Promise<Scene> {
  const store = await openStore('sqlite::memory:')
  const records: Record<string, unknown>[] = []
  const signed: number[] = []
  const signer = {
    ...by,
    sign(data: Uint8Array) {
      const payload = Buffer.from(Buffer.from(data).toString().split('.')[1] ?? '', 'base64url').toString()
      if (payload.includes('"encodedList"')) signed.push(scene.now)
      return by.sign(data)
    },
  }
  const issuer = createIssuer(
    { keys: issuingAs(signer), statusBase: BASE },
    {
      ...store,
      transaction: work => store.transaction(work),
      clock: { now: () => scene.now },
      ids: systemIds,
      keys: { find: () => Promise.resolve(null), all: () => Promise.resolve([]) },
      marker: { reached: 0, raise: () => Promise.resolve() },
      audit: { record: entry => Promise.resolve(void records.push(entry as Record<string, unknown>)) },
      nextSecond: () => Promise.resolve(void (scene.now += 1)),
      ...broken,
    },
  )
  const authority = { more: 3, audience: [SELF], grants: [{ resource: `${SELF}/**`, actions: ['book'] }] }
  const scene: Scene = {
    store,
    issuer,
    records,
    signed,
    now: NOW,
    grant: (to = planner, ttl = 3600) => issuer.grant({ to: to.did, key: to.publicKey, authority, ttl }),
    async delegate(above, by, to) {
      const tokens = above.map(one => (typeof one === 'string' ? one : one.token))
      const parent = readParent(tokens.at(-1) ?? '')
      const { indexes } = await issuer.lease(by.did, 1, scene.now + 1200)
      const place = indexes[0]!
      const at = scene.now - NOW
      const claims = { credentialStatus: toStatusJson(place.url, place.index) }
      const { token, digest } = await mint({ signer: by, to, parent, from: at, until: at + 1200, claims })
      return { chain: [...tokens, token], digest, place }
    },
    async isSet(place) {
      if (place === null) return false
      scene.now += 1
      const { token } = await issuer.list(place.url.slice(BASE.length))
      const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
        credentialSubject: { encodedList: string }
      }
      return bitAt(decodeList(credentialSubject.encodedList, place.url), place.index)
    },
    announced: async () => (await store.outbox.since(0, 10_000)).map(({ type, target }) => `${type} ${target}`),
  }
  return scene
}

/** What minting a link below a token needs of it. */
function readParent(token: string): Minted {
  const { id, credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
    id: string
    credentialSubject: { authority: Minted['authority'] }
  }
  const digest = digestOf(token.slice(0, token.lastIndexOf('.')))
  return { token, digest, id, authority: credentialSubject.authority }
}
