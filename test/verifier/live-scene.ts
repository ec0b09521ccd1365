import { requireLive, type LivePorts, type Watch } from '../../src/verifier/live.js'
import {
  booker,
  LIST,
  listToken,
  mint,
  NOW,
  owner,
  party,
  planner,
  policyOf,
  STATUS_BASE,
  world,
  type Minted,
} from '../mint.js'
import { opened, sentence } from './scene.js'

export const SECOND = `${STATUS_BASE}2`
export const agency = party('agency')

export const entry = (url: string, index: number, statusPurpose = 'revocation') => ({
  id: `${url}#${index}`,
  type: 'BitstringStatusListEntry',
  statusPurpose,
  statusListIndex: String(index),
  statusListCredential: url,
})

/** owner → planner → agency → booker: two lists, and a leaf so short that it needs none. */
export async function chainOf(): Promise<readonly [Minted, Minted, Minted]> {
  const root = await mint({ signer: owner, to: planner, until: 3600, index: 10 })
  const claims = { credentialStatus: entry(SECOND, 11) }
  const middle = await mint({ signer: planner, to: agency, parent: root, until: 1800, claims })
  return [root, middle, await mint({ signer: agency, to: booker, parent: middle, from: 0, until: 300, index: null })]
}

/** The second list as one of suspensions. */
export async function suspensions(bits: readonly number[] = []): Promise<string> {
  const plain = await listToken(bits, 43)
  const { credentialSubject } = JSON.parse(Buffer.from(plain.split('.')[1]!, 'base64url').toString()) as {
    credentialSubject: object
  }
  const subject = { ...credentialSubject, statusPurpose: 'suspension' }
  return listToken(bits, 43, { id: SECOND, credentialSubject: subject })
}

export interface Asked {
  readonly url: string
  readonly maxAge: number
}

/** Lists by URL with their ages; tells what was asked in which order. */
export async function lists(served: Readonly<Record<string, readonly [token: string, age: number]>> = {}) {
  const asked: Asked[] = []
  const all: Readonly<Record<string, readonly [token: string, age: number]>> = {
    [LIST]: [await listToken(), 3],
    [SECOND]: [await listToken([], 1, { id: SECOND }), 20],
    ...served,
  }
  const ports: LivePorts = {
    ...(await world()),
    statusLists: {
      read(url, maxAge) {
        asked.push({ url, maxAge })
        const [token, age] = all[url]!
        return Promise.resolve({ snapshot: { token }, age })
      },
    },
  }
  return { asked, ports }
}

export async function walk(
  chain: readonly { readonly token: string }[],
  ports: LivePorts,
  { maxAge = 300, now = NOW } = {},
) {
  const watch: Watch = { link: null, live: [] }
  const tell = (): number => now
  const age = { pushed: maxAge, pulled: maxAge }
  const told = await sentence(async () => requireLive(await opened(chain), [], age, policyOf(), tell, ports, watch))
  return { told, watch }
}
