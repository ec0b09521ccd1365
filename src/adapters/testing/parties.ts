import { generateKeyPairSync, sign } from 'node:crypto'
import type { Did, DidUrl } from '../../did/did.js'
import { didKeyUrl, toDidKey } from '../../did/key.js'
import { parsePublicKey, type PublicKey } from '../../ed25519.js'
import type { Keys } from '../../ports/deciding.js'
import type { Signer } from '../../signer.js'

/** Somebody with a fresh key, whose private half does not leave this object. */
export interface Party extends Signer {
  readonly publicKey: PublicKey
}

/** A party that is named by its key or, if a DID is given, by that. */
export function createParty(did?: Did): Party {
  const { publicKey: half, privateKey } = generateKeyPairSync('ed25519')
  const publicKey = parsePublicKey(Buffer.from(half.export({ format: 'jwk' }).x ?? '', 'base64url'), 'test key')
  const own = did ?? toDidKey(publicKey)
  const kid: DidUrl = did === undefined ? didKeyUrl(own) : `${did}#test`
  return { did: own, kid, publicKey, sign: data => Promise.resolve(sign(null, data, privateKey)) }
}

/** Everybody a policy names, with keys of this test: nothing is resolved. */
export interface Parties {
  /** Who stands for this DID; the same for as long as the test runs. */
  of(did: Did): Party
  readonly keys: Keys
}

/** A test's own world of DIDs. */
export function createParties(): Parties {
  const known = new Map<Did, Party>()
  return {
    of(did) {
      const party = known.get(did) ?? createParty(did)
      known.set(did, party)
      return party
    },
    keys: {
      find: kid => Promise.resolve([...known.values()].find(party => party.kid === kid)?.publicKey ?? null),
      all: did => Promise.resolve([...known.values()].filter(party => party.did === did).map(one => one.publicKey)),
    },
  }
}
