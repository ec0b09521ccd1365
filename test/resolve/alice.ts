import { generateKeyPairSync } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { createFetch, type Lookup } from '../../src/adapters/resolve/fetch.js'
import { createKeys, type KeysOptions, type ResolvedKeys } from '../../src/adapters/resolve/keys.js'
import type { Did, DidUrl } from '../../src/did/did.js'
import { toDidDocument } from '../../src/did/document.js'
import { parseJwk, type PublicKey } from '../../src/ed25519.js'
import type { Json } from '../../src/json.js'
import { startHost, testClock, type Host, type TestClock } from './host.js'

export const ALICE = 'did:web:alice.example'
export const KID: DidUrl = `${ALICE}#k`
export const KEY = freshKey()
export const OTHER = freshKey()

function freshKey(): PublicKey {
  return parseJwk(generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as Json, 'test')!
}

export function documentOf(did: Did, key = KEY): string {
  return JSON.stringify(toDidDocument(did, [{ kid: `${did}#k`, key }]))
}

export function keysWith(
  connect: Record<string, string>,
  options: Partial<KeysOptions> = {},
  lookup?: Lookup,
): ResolvedKeys {
  const fetch = createFetch({ connect, deadline: 500, lookup })
  onTestFinished(() => fetch.close())
  return createKeys({ fetch, clock: testClock(), uptime: () => 0, ...options })
}

export async function alicesHost(
  options: Partial<KeysOptions> = {},
): Promise<{ host: Host; clock: TestClock; keys: ResolvedKeys; serve: (body: string) => void }> {
  const host = await startHost()
  const clock = testClock()
  const serve = (body: string): void => host.answer((_, response) => response.end(body))
  serve(documentOf(ALICE))
  return { host, clock, serve, keys: keysWith({ 'https://alice.example': host.address }, { clock, ...options }) }
}

export const find = async (keys: ResolvedKeys) => (await keys.find(KID, 'assertionMethod'))?.x ?? null
