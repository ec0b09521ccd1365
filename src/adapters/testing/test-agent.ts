import type { AuthorityDraft } from '../../authority/authority.js'
import { toCredentialJson } from '../../credential/credential.js'
import { IDENTITY } from '../../credential/identity.js'
import { CAPABILITY, DELEGATION } from '../../delegation/chain.js'
import type { Did } from '../../did/did.js'
import { digestOf, type Digest } from '../../encoding.js'
import type { JsonObject } from '../../json.js'
import { signJws, type Signer } from '../../jws/compact.js'
import type { Policy } from '../../policy/policy.js'
import type { Clock, Ids } from '../../ports/world.js'
import { envelope } from '../../presentation/envelope.js'
import { toPresentationJson, type Presentation } from '../../presentation/presentation.js'
import { LIFETIME } from '../../presentation/proof.js'
import { bodyDigest, paramsDigest } from '../../presentation/request.js'
import type { PresentRequest } from '../../wallet/wallet.js'
import { createParty, type Parties, type Party } from './parties.js'

/** One call, as the test's server will receive it. */
export interface TestRequest {
  readonly method: string
  /** the whole URL, as the policy's audience names it */
  readonly url: string
  readonly action: string
  /** what the server will derive */
  readonly params: JsonObject
  /** text or bytes go as they are; anything else as JSON */
  readonly body?: unknown
  /** the URL without its query, if left out */
  readonly resource?: string
  readonly nonce?: string
}

/** What an agent of a test is given; what is left out is what the one above has. */
export interface TestGrant extends Partial<Omit<AuthorityDraft, 'grants'>> {
  readonly grants?: AuthorityDraft['grants']
  /** seconds, at most 300: longer ones would need a status list. 300 unless given */
  readonly ttl?: number
}

/** An agent with a real key and a real chain. */
export interface TestAgent {
  readonly did: Did
  /** tokens, root first */
  readonly chain: readonly string[]
  /** digest of its own credential: what a revocation names */
  readonly digest: Digest
  /** A presentation for this one call, as an agent of a wallet makes it; whether it may be made is not asked. */
  present(request: PresentRequest): Promise<string>
  /** The headers of an HTTP request, `content-type` included where the body becomes JSON. */
  headers(request: TestRequest): Promise<Record<string, string>>
  /** A sub-agent, given less or the same. Nothing is refused here: whether it narrows is the verifier's to say. */
  delegate(grant?: TestGrant): Promise<TestAgent>
}

/** What minting needs. */
export interface Mint {
  readonly policy: Policy
  readonly parties: Parties
  readonly clock: Clock
  readonly ids: Ids
}

/** The last link of a chain, and whoever holds it. */
interface Held {
  readonly holder: Party
  readonly chain: readonly string[]
  readonly identities: readonly string[]
  readonly id: string
  readonly digest: Digest
  readonly authority: JsonObject
}

/** An agent under a root of the policy. */
export async function rootAgent(root: Did, authority: JsonObject, ttl: number, mint: Mint): Promise<TestAgent> {
  return toAgent(await link(mint.parties.of(root), null, { v: 1, hop: 0, more: 4, ...authority }, ttl, mint), mint)
}

function toAgent(held: Held, mint: Mint): TestAgent {
  const { holder, chain, digest, id } = held
  const present = (request: PresentRequest): Promise<string> =>
    signJws(toPresentationJson(bind(held, request, mint), chain), 'vp+jwt', holder)
  return {
    did: holder.did,
    chain,
    digest,
    present,
    headers: async request => ({
      ...(isJson(request.body) ? { 'content-type': 'application/json' } : {}),
      'agent-presentation': await present(toPresent(request, mint.policy.self)),
    }),
    async delegate({ ttl = MAX_TTL, ...given } = {}) {
      const { audience, grants, hop, more } = held.authority
      const inherited = { v: 1, hop: Number(hop) + 1, more: Number(more) - 1, audience, grants }
      return toAgent(
        await link(
          holder,
          held,
          { ...inherited, ...given, parent: { id, digest } } as unknown as JsonObject,
          ttl,
          mint,
        ),
        mint,
      )
    },
  }
}

/** Seconds a credential may live without a status list. */
export const MAX_TTL = 300

async function link(issuer: Signer, above: Held | null, authority: JsonObject, ttl: number, mint: Mint): Promise<Held> {
  const { policy, parties, ids } = mint
  const holder = createParty()
  const id = `urn:uuid:${ids.uuid()}`
  const type = above === null ? CAPABILITY : DELEGATION
  const token = await certify(issuer, holder, { id, type, claims: { authority } }, ttl, mint)
  const [describes] = policy.identityIssuers
  const agent = { name: 'test agent', operator: issuer.did, autonomy: 'L1', risk: 'low' }
  const identity = { id: `urn:uuid:${ids.uuid()}`, type: IDENTITY, claims: { agent } }
  const described = describes === undefined ? [] : [await certify(parties.of(describes), holder, identity, ttl, mint)]
  return {
    holder,
    chain: [...(above?.chain ?? []), token],
    identities: [...(above?.identities ?? []), ...described],
    id,
    digest: digestOf(token.slice(0, token.lastIndexOf('.'))),
    authority,
  }
}

function certify(
  issuer: Signer,
  { did: subject, publicKey: key }: Party,
  said: { readonly id: string; readonly type: string; readonly claims: JsonObject },
  ttl: number,
  { clock }: Mint,
): Promise<string> {
  const now = clock.now()
  const times = { issuedAt: now, validFrom: now, validUntil: now + ttl }
  return signJws(toCredentialJson({ ...said, ...times, issuer: issuer.did, subject, key }), 'vc+jwt', issuer)
}

function toPresent({ body, resource, ...request }: TestRequest, audience: string): PresentRequest {
  const own = request.url.split('?', 1)[0] ?? request.url
  return { ...request, audience, resource: resource ?? own, bodyDigest: bodyDigest(toBytes(body)) }
}

/** Claims that bind the holder to one call. */
function bind({ holder, identities, authority }: Held, request: PresentRequest, { clock, ids }: Mint): Presentation {
  const { method, url, bodyDigest: digest, audience, action, resource, params, nonce, provenance } = request
  const { s256 } = (authority['purpose'] ?? {}) as { readonly s256?: string }
  const [purpose, identity] = [request.purpose ?? s256, request.identity ?? identities]
  const now = clock.now()
  return {
    holder: holder.did,
    iss: holder.did,
    aud: audience,
    iat: now,
    exp: now + LIFETIME,
    jti: ids.token(),
    ...(nonce === undefined ? {} : { nonce }),
    ...(identity.length === 0 ? {} : { identity: identity.map(envelope) }),
    request: {
      htm: method,
      htu: url,
      ...(digest === null ? {} : { bodyDigest: digest }),
      action,
      resource,
      paramsDigest: paramsDigest(params),
      ...(purpose === undefined ? {} : { purpose }),
      ...(provenance === undefined ? {} : { provenance }),
    },
  }
}

function isJson(body: unknown): boolean {
  return body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array)
}

function toBytes(body: unknown): Uint8Array | string | undefined {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return body
  return JSON.stringify(body)
}
