import { LRUCache } from 'lru-cache'
import { base58btc } from 'multiformats/bases/base58'
import { ProcuraError } from '../errors.js'
import { MAX_KEYS, parsePublicKey, type PublicKey } from '../ed25519.js'
import type { Did, DidUrl } from './did.js'

const ED25519_PUB = [0xed, 0x01] as const

/** The did:key of an Ed25519 key. @see https://w3c-ccg.github.io/did-key-spec/#format */
export function toDidKey(key: PublicKey): Did<'key'> {
  return `did:key:${base58btc.encode(Uint8Array.of(...ED25519_PUB, ...key.bytes))}`
}

/** The one key id of a did:key: its own identifier as fragment. */
export function didKeyUrl(did: Did): DidUrl {
  return `${did}#${did.slice('did:key:'.length)}`
}

/** Keys that were read before, by name: the name says all there is to know. */
const read = new LRUCache<Did, PublicKey>({ max: MAX_KEYS })

/**
 * Reads the key out of an Ed25519 did:key.
 *
 * @throws DID_METHOD - not base58btc, another length or another key type
 * @throws KEY_WEAK
 * @see https://w3c-ccg.github.io/did-key-spec/#signature-method-creation-algorithm
 */
export function fromDidKey(did: Did): PublicKey {
  const known = read.get(did)
  if (known !== undefined) return known
  const bytes = decode(did)
  if (bytes?.length !== 34 || bytes[0] !== ED25519_PUB[0] || bytes[1] !== ED25519_PUB[1]) {
    throw new ProcuraError('DID_METHOD', { did })
  }
  const key = parsePublicKey(bytes.slice(2), did)
  if (toDidKey(key) !== did) throw new ProcuraError('DID_METHOD', { did })
  read.set(did, key)
  return key
}

function decode(did: Did): Uint8Array | null {
  try {
    return base58btc.decode(did.slice('did:key:'.length))
  } catch {
    return null
  }
}
