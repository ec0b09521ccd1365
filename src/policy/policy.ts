import { ACTION, ARGUMENT, grantMembers, type Grant } from '../authority/grant.js'
import { rateShape, type Rate } from '../authority/budget.js'
import { isDid, isDidUrl, type Did, type DidUrl } from '../did/did.js'
import { isKeyText, parsePublicKey, type PublicKey } from '../ed25519.js'
import type { KeyBinding } from '../delegation/chain.js'
import { s256 } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { canonicalize, type Json } from '../json.js'
import { either, findings, integer, mapOf, object, oneOf, setOf, text, where, type Shape } from '../shape.js'
import { feedsShape } from './feeds.js'
import { fromShape, identityDemandShape, RISKS, type ByRisk, type Risk } from './risk.js'

/** A grant of a policy. */
export interface PolicyGrant extends Grant {
  /** arguments whose values the log keeps */
  readonly audit?: readonly string[]
}

/** A trusted root: whose capabilities count, for what, for how long. */
export interface Root {
  readonly issuer: Did
  /** seconds */
  readonly maxTtl: number
  readonly grants: readonly PolicyGrant[]
  /** who may approve single calls where a grant asks for it */
  readonly approvers: readonly Did[]
  /** bounds all calls under this root together */
  readonly rate: Rate | null
  /** the root's keys; `null`: they are resolved */
  readonly keys: ReadonlyMap<DidUrl, PublicKey> | null
}

/** Link −1: what a verifier itself allows (profile §5.4). Complete: no member is optional. */
export interface Policy extends ByRisk {
  /** the verifier's own audience */
  readonly self: string
  readonly maxChain: number
  readonly subjectKeyBinding: KeyBinding
  readonly roots: ReadonlyMap<Did, Root>
  /** whose identity credentials count */
  readonly identityIssuers: ReadonlySet<Did>
  /** whether a request must say what told the agent to make it, and which sources are trusted */
  readonly provenance: 'none' | 'required' | readonly string[]
  /** base64url SHA-256 of the policy's JCS form */
  readonly version: string
}

const did = where(isDid, 'is not a DID')
const age = { optional: integer(0, 300) }

const jwk: Shape<{ readonly kid: DidUrl; readonly x: string }> = object({
  kid: where(isDidUrl, 'is not a DID URL with a fragment'),
  kty: oneOf('OKP'),
  crv: oneOf('Ed25519'),
  x: where(isKeyText, 'is not base64url of 32 bytes'),
  alg: { optional: oneOf('EdDSA', 'Ed25519') },
  use: { optional: oneOf('sig') },
})

const policyShape = object({
  self: text(),
  maxChain: { optional: integer(1, 8) },
  subjectKeyBinding: { optional: oneOf('cnf+did', 'cnf') },
  roots: setOf(
    object({
      issuer: did,
      maxTtl: { optional: integer(1, 86_400) },
      grants: setOf(object({ ...grantMembers, audit: { optional: setOf(text(ARGUMENT), 1, 32) } }), 1, 64),
      approvers: { optional: setOf(did, 1, 64) },
      jwks: { optional: object({ keys: setOf(jwk, 1, 8) }) },
      rate: { optional: rateShape },
    }),
    1,
    64,
  ),
  identity: { optional: identityDemandShape },
  identityIssuers: { optional: setOf(did, 0, 64) },
  risk: { optional: mapOf(ACTION, oneOf(...RISKS)) },
  maxStatusAge: { optional: object({ low: age, medium: age, high: age, critical: age }) },
  feeds: { optional: feedsShape },
  provenance: { optional: either(oneOf('none', 'required'), setOf(text(), 1, 64)) },
  challenge: { optional: fromShape('never') },
  approval: { optional: fromShape('granted') },
  commit: { optional: fromShape('never') },
})

/** Seconds a status list may be old when the policy does not say (profile §5.4). */
export const MAX_STATUS_AGE: Readonly<Record<Risk, number>> = { low: 300, medium: 60, high: 10, critical: 0 }

/**
 * Reads a policy. What is left out gets the profile's defaults; what is not known is refused.
 *
 * @param at - how messages name the place, the file's name for example
 * @throws CONFIG_INVALID - the message lists everything that is wrong, each with its path
 */
export function parsePolicy(value: Json, at = 'policy'): Policy {
  const version = versionOf(value, at)
  let raw: ReturnType<typeof policyShape> | undefined
  const wrong = findings(report => {
    raw = policyShape(value, at, report)
  })
  if (raw === undefined || wrong.length > 0) throw invalid(at, wrong.map(error => error.message).join('; '))
  const roots = raw.roots.map((root, index): [Did, Root] => [
    root.issuer,
    {
      issuer: root.issuer,
      maxTtl: root.maxTtl ?? 86_400,
      grants: root.grants,
      approvers: root.approvers ?? [],
      rate: root.rate ?? null,
      keys: root.jwks === undefined ? null : keySet(root.jwks.keys, `${at}.roots[${index}].jwks`),
    },
  ])
  if (new Map(roots).size < roots.length) throw invalid(`${at}.roots`, 'names an issuer twice')
  const { identity = { leaf: null, every: null }, identityIssuers = [] } = raw
  if ((identity.leaf ?? identity.every) !== null && identityIssuers.length === 0) {
    throw invalid(`${at}.identityIssuers`, 'is empty, so that no call could pass identity')
  }
  const { feeds = [] } = raw
  if (new Set(feeds.map(feed => feed.issuer)).size < feeds.length) throw invalid(`${at}.feeds`, 'names an issuer twice')
  return {
    self: raw.self,
    maxChain: raw.maxChain ?? 5,
    subjectKeyBinding: raw.subjectKeyBinding ?? 'cnf+did',
    roots: new Map(roots),
    risk: raw.risk ?? new Map<string, Risk>(),
    maxStatusAge: { ...MAX_STATUS_AGE, ...raw.maxStatusAge },
    feeds,
    identity,
    identityIssuers: new Set(identityIssuers),
    provenance: raw.provenance ?? 'none',
    challenge: raw.challenge ?? null,
    approval: raw.approval ?? null,
    commit: raw.commit ?? null,
    version,
  }
}

/** base64url SHA-256 of a policy's JCS form. @throws CONFIG_INVALID - one written in code or YAML may hold what JSON cannot */
export function versionOf(value: Json, at: string): string {
  try {
    return s256(canonicalize(value))
  } catch (cause) {
    throw new ProcuraError('CONFIG_INVALID', { at, why: 'holds a value that JSON cannot write' }, { cause })
  }
}

function invalid(at: string, why: string): ProcuraError {
  return new ProcuraError('CONFIG_INVALID', { at, why })
}

/** A JWK set as a policy writes it. */
export interface KeySet {
  readonly keys: readonly { readonly kid: DidUrl; readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }[]
}

const keySetShape = object({ keys: setOf(jwk, 1, 8) })

/** Reads the keys of a root. @throws CONFIG_INVALID */
export function parseKeys(set: KeySet, at: string): ReadonlyMap<DidUrl, PublicKey> {
  const [wrong] = findings(report => keySetShape(set as unknown as Json, at, report))
  if (wrong !== undefined) throw invalid(at, wrong.message)
  return keySet(set.keys, at)
}

function keySet(
  keys: readonly { readonly kid: DidUrl; readonly x: string }[],
  at: string,
): ReadonlyMap<DidUrl, PublicKey> {
  if (new Set(keys.map(({ kid }) => kid)).size < keys.length) throw invalid(at, 'names a kid twice')
  try {
    return new Map(keys.map(({ kid, x }) => [kid, parsePublicKey(Buffer.from(x, 'base64url'), at)]))
  } catch (cause) {
    throw new ProcuraError('CONFIG_INVALID', { at, why: 'holds a weak key' }, { cause })
  }
}
