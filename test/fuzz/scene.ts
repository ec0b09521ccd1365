import { createHash, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto'
import type { Did, DidUrl } from '../../src/did/did.js'
import { didKeyUrl, toDidKey } from '../../src/did/key.js'
import { parsePublicKey, type PublicKey } from '../../src/ed25519.js'
import { toBase64url } from '../../src/encoding.js'
import type { Policy } from '../../src/policy/policy.js'

/** JSON that may be changed. */
export type Loose = null | boolean | number | string | Loose[] | LooseObject
export interface LooseObject {
  [name: string]: Loose
}

/** Somebody with a key. */
export interface Actor {
  readonly did: Did
  readonly kid: DidUrl
  readonly publicKey: PublicKey
  readonly privateKey: KeyObject
}

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

export function actor(name: string, did?: Did): Actor {
  const seed = createHash('sha256').update(`procura fuzz key ${name}`).digest()
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  const publicKey = parsePublicKey(Buffer.from(x ?? '', 'base64url'), name)
  const own = did ?? toDidKey(publicKey)
  return { did: own, kid: did === undefined ? didKeyUrl(own) : `${did}#k1`, publicKey, privateKey }
}

/** A token before it is signed. */
export interface Draft {
  readonly header: LooseObject
  readonly claims: Loose
  readonly signer: Actor
}

/** The request as the server hands it in; the approval comes from its draft. */
export interface Asked {
  method: string
  url: string
  bodyDigest: string | null
  action: string
  resource: string
  params: LooseObject
}

/** From which risk on the policy asks for something: from 0 on, only from 1 on, which is the scene's own action's, or never. */
export type From = 0 | 1 | null

/** What the policy asks for, beside its grants. */
export interface Asks {
  /** of the scene's action; every other is of risk 0 */
  readonly risk: 0 | 1
  readonly challenge: From
  readonly leaf: From
  readonly every: From
  readonly approval: From
  readonly commit: From
}

/** Whether it is asked for of a call of this action. */
export function isAsked(from: From, { asks, asked }: Pick<Scene, 'asks' | 'asked'>, action: string): boolean {
  return from !== null && from <= (action === asked.action ? asks.risk : 0)
}

/** All that one decision rests on, good as it stands. */
export interface Scene {
  /** root first */
  readonly links: readonly Draft[]
  /** subjects and their keys, root first */
  readonly holders: readonly Actor[]
  /** what vouches for subjects, in any order; read only where the policy asks */
  readonly identities: readonly Draft[]
  readonly identityTokens: readonly string[]
  readonly inline: boolean
  /** the presentation without its credentials, or the proof without its leaf */
  readonly shown: Draft
  readonly approval: Draft | null
  readonly asked: Asked
  /** status lists that the chain uses, by URL */
  readonly lists: ReadonlyMap<string, Draft>
  readonly policy: Policy
  readonly asks: Asks
  readonly nonce: string | null
  /** tokens of the links, signed once */
  readonly tokens: readonly string[]
}

/** Names sorted, nothing checked: writes also what a careful signer would not. */
export function write(value: Loose): string {
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.keys(value)
    .sort()
    .map(name => `${JSON.stringify(name)}:${write(value[name]!)}`)
  return `{${members.join(',')}}`
}

/** A string as it is; anything else as no string that means something. */
export function textOf(value: Loose | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? '' : `\u0000${write(value)}`
}

export function clone<T extends Loose>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T
}

export function signed(header: Uint8Array | string, payload: Uint8Array | string, { privateKey }: Actor): string {
  const input = `${toBase64url(Buffer.from(header))}.${toBase64url(Buffer.from(payload))}`
  return `${input}.${toBase64url(sign(null, Buffer.from(input), privateKey))}`
}

export function seal({ header, claims, signer }: Draft): string {
  return signed(write(header), write(claims), signer)
}

export function signingInput(token: string): string {
  return token.slice(0, token.lastIndexOf('.'))
}

/** The member at a path that is known to lead through objects and arrays. */
export function at(value: Loose, ...path: readonly (string | number)[]): Loose | undefined {
  let here: Loose | undefined = value
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined
    here = (here as LooseObject)[String(step)]
  }
  return here
}
