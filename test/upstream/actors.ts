import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { didKeyUrl, toDidKey } from '../../src/did/key.js'
import type { Did } from '../../src/did/did.js'
import { parsePublicKey, type PublicKey } from '../../src/ed25519.js'
import type { Signer } from '../../src/signer.js'

/** The only instant of these tests. */
export const NOW = 1_795_255_500

export interface Actor extends Signer {
  readonly did: Did<'key'>
  readonly key: PublicKey
  readonly privateKey: KeyObject
}

/** Somebody with a fresh Ed25519 key and the did:key of it. */
export function actor(): Actor {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const key = parsePublicKey(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url'), 'actor')
  const did = toDidKey(key)
  return { did, kid: didKeyUrl(did), key, privateKey, sign: data => Promise.resolve(sign(null, data, privateKey)) }
}

export const owner = actor()
export const alice = actor()
export const planner = actor()
export const booker = actor()
export const mallory = actor()

const encode = (text: string): string => Buffer.from(text).toString('base64url')

/** A compact JWS over exactly these texts: what a hostile program writes. */
export function signText(header: string, payload: string, { privateKey }: Actor): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`
}

/** The token with one bit of its signature turned over. */
export function forged(token: string): string {
  const [head, body, signature] = token.split('.')
  const bytes = Buffer.from(signature!, 'base64url')
  bytes[3]! ^= 1
  return `${head}.${body}.${bytes.toString('base64url')}`
}
