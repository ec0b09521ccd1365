import { createPrivateKey, createHash, createPublicKey, sign } from 'node:crypto'
import { createKeys } from '../src/adapters/resolve/keys.js'
import { createStatusLists } from '../src/adapters/resolve/status-lists.js'
import {
  memoryChains,
  memoryLedger,
  memoryNonces,
  memoryRevocations,
  memoryVersions,
} from '../src/adapters/state/memory.js'
import { toAuthorityJson, type Authority } from '../src/authority/authority.js'
import { CONTEXTS, toCredentialJson } from '../src/credential/credential.js'
import { IDENTITY } from '../src/credential/identity.js'
import { CAPABILITY, DELEGATION } from '../src/delegation/chain.js'
import type { Did, DidUrl } from '../src/did/did.js'
import { toDidDocument } from '../src/did/document.js'
import { didKeyUrl, toDidKey } from '../src/did/key.js'
import { didWebUrl } from '../src/did/web.js'
import { parsePublicKey, type PublicKey } from '../src/ed25519.js'
import { digestOf, s256, type Digest } from '../src/encoding.js'
import type { JsonObject } from '../src/json.js'
import { signJws, type Signer } from '../src/jws/compact.js'
import type { IssuingKeys } from '../src/ports/keys.js'
import { parsePolicy, type Policy } from '../src/policy/policy.js'
import { envelope } from '../src/presentation/envelope.js'
import { bodyDigest, paramsDigest, type ReceivedRequest } from '../src/presentation/request.js'
import { bitsOf, MIN_BITS } from '../src/status/bitstring.js'
import { toStatusJson } from '../src/status/entry.js'
import { toListJson } from '../src/status/list.js'
import type { VerifierPorts } from '../src/verifier/verifier.js'
import { countingIds, tableFetch } from './table.js'

/** The verifier's clock in tests: 2026-11-21T10:05:00Z. */
export const NOW = 1_795_255_500
export const SELF = 'https://api.travel.example'
export const STATUS_BASE = 'https://status.acme.example/sl/'
export const LIST = `${STATUS_BASE}1`

/** A signer whose key follows from its name; the private key stays in its closure. */
export type Party = Signer & { readonly publicKey: PublicKey }

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

export function party(name: string, did?: Did): Party {
  const seed = createHash('sha256').update(`procura test key ${name}`).digest()
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  const publicKey = parsePublicKey(Buffer.from(x ?? '', 'base64url'), name)
  const own = did ?? toDidKey(publicKey)
  const kid: DidUrl = did === undefined ? didKeyUrl(own) : `${did}#k1`
  return { did: own, kid, publicKey, sign: data => Promise.resolve(sign(null, data, privateKey)) }
}

/** The keys of an issuer that has one. */
export const issuingAs = (signer: Party): IssuingKeys => ({
  did: signer.did,
  signer: () => Promise.resolve(signer),
  listed: () => Promise.resolve([{ kid: signer.kid, key: signer.publicKey }]),
  find: kid => Promise.resolve(kid === signer.kid ? { key: signer.publicKey, isListed: true } : null),
})

export const owner = party('owner', 'did:web:travel.example')
export const status = party('status', 'did:web:status.acme.example')
export const alice = party('alice')
export const planner = party('planner')
export const booker = party('booker')
export const mallory = party('mallory')

export const GRANTS: Authority['grants'] = [
  {
    resource: `${SELF}/bookings/**`,
    actions: ['book', 'quote'],
    args: new Map([
      ['amount', { op: 'range', min: 0, max: 200_000, req: true }],
      ['currency', { op: 'eq', value: 'USD', req: true }],
    ]),
  },
]

export interface Minted {
  readonly token: string
  readonly digest: Digest
  readonly id: string
  readonly authority: Authority
}

export interface MintOptions {
  readonly signer: Signer
  readonly to: Party
  readonly parent?: Minted
  readonly authority?: Partial<Authority>
  /** seconds from NOW */
  readonly from?: number
  readonly until?: number
  readonly index?: number | null
  /** members that replace those of the claims */
  readonly claims?: JsonObject
}

let counter = 0

/** Signs one link; whatever is not said is well-formed and narrow enough. */
export async function mint(options: MintOptions): Promise<Minted> {
  const { signer, to, parent, from = -240, until = 1800, index = 1000 + (counter += 1) } = options
  const above = parent?.authority
  const authority: Authority = {
    v: 1,
    hop: above === undefined ? 0 : above.hop + 1,
    more: above === undefined ? 3 : above.more - 1,
    audience: above?.audience ?? [SELF],
    grants: above?.grants ?? GRANTS,
    ...(above === undefined ? { statusIssuers: [{ iss: status.did, base: STATUS_BASE }] } : {}),
    ...(parent === undefined ? {} : { parent: { id: parent.id, digest: parent.digest } }),
    ...options.authority,
  }
  const id = `urn:uuid:0192f5c2-0000-7000-8000-${String((counter += 1)).padStart(12, '0')}`
  const claims = toCredentialJson({
    id,
    type: parent === undefined ? CAPABILITY : DELEGATION,
    issuer: signer.did,
    subject: to.did,
    key: to.publicKey,
    issuedAt: NOW + from,
    validFrom: NOW + from,
    validUntil: NOW + until,
    claims: { authority: toAuthorityJson(authority) },
    ...(index === null ? {} : { status: toStatusJson(LIST, index) }),
  })
  const token = await signJws({ ...claims, ...options.claims }, 'vc+jwt', signer)
  return { token, digest: digestOf(token.slice(0, token.lastIndexOf('.'))), id, authority }
}

export interface IdentityOptions {
  readonly issuer: Signer
  readonly of: Party
  readonly from?: number
  readonly until?: number
  /** `null`: no status */
  readonly index?: number | null
  readonly list?: string
  /** members that replace those of the claims */
  readonly claims?: JsonObject
}

/** Signs an identity credential; whatever is not said is well-formed. */
export async function identify(options: IdentityOptions): Promise<{ readonly token: string; readonly digest: Digest }> {
  const { issuer, of, from = -240, until = 1800, index = 500_000 + (counter += 1), list = LIST } = options
  const claims = toCredentialJson({
    id: `urn:uuid:0192f5c2-1111-7000-8000-${String((counter += 1)).padStart(12, '0')}`,
    type: IDENTITY,
    issuer: issuer.did,
    subject: of.did,
    key: of.publicKey,
    issuedAt: NOW + from,
    validFrom: NOW + from,
    validUntil: NOW + until,
    claims: { agent: { name: 'trip-planner', operator: owner.did, autonomy: 'L4', risk: 'high' } },
    ...(index === null ? {} : { status: toStatusJson(list, index % 100_000) }),
  })
  const token = await signJws({ ...claims, ...options.claims }, 'vc+jwt', issuer)
  return { token, digest: digestOf(token.slice(0, token.lastIndexOf('.'))) }
}

/** owner → planner → booker, each link as wide as the one above. */
export async function goodChain(authority: Partial<Authority> = {}): Promise<[Minted, Minted]> {
  const root = await mint({ signer: owner, to: planner, until: 3600, authority })
  return [root, await mint({ signer: planner, to: booker, parent: root })]
}

export const PARAMS: JsonObject = { amount: 32_000, currency: 'USD' }
const BODY = JSON.stringify(PARAMS)

export const REQUEST: ReceivedRequest = {
  method: 'POST',
  url: `${SELF}/bookings/SYD-2231`,
  bodyDigest: bodyDigest(BODY),
  action: 'book',
  resource: `${SELF}/bookings/SYD-2231`,
  params: PARAMS,
}

/** Claims that bind `holder` to {@link REQUEST} once; `request` replaces members of it. */
function bound(holder: Signer, request: JsonObject = {}): JsonObject {
  counter += 1
  return {
    '@context': CONTEXTS,
    holder: holder.did,
    iss: holder.did,
    aud: SELF,
    iat: NOW - 2,
    exp: NOW + 58,
    jti: s256(`jti ${counter}`).slice(0, 22),
    request: {
      htm: REQUEST.method,
      htu: REQUEST.url,
      bodyDigest: REQUEST.bodyDigest ?? '',
      action: REQUEST.action,
      resource: REQUEST.resource,
      paramsDigest: paramsDigest(PARAMS),
      ...request,
    },
  }
}

/** Signs a presentation of the chain for {@link REQUEST}; `claims` and `request` replace members. */
export function present(
  holder: Signer,
  chain: readonly { readonly token: string }[],
  { claims = {}, request = {} }: { readonly claims?: JsonObject; readonly request?: JsonObject } = {},
): Promise<string> {
  const type = ['VerifiablePresentation', 'AgentRequestPresentation']
  const verifiableCredential = chain.map(({ token }) => envelope(token))
  return signJws({ ...bound(holder, request), type, verifiableCredential, ...claims }, 'vp+jwt', holder)
}

/** Signs a proof for {@link REQUEST} that names a chain by its leaf. */
export function prove(holder: Signer, leaf: Digest, claims: JsonObject = {}): Promise<string> {
  return signJws({ ...bound(holder), leaf, ...claims }, 'agent-proof+jwt', holder)
}

export function policyOf(overrides: JsonObject = {}): Policy {
  return parsePolicy({
    self: SELF,
    roots: [{ issuer: owner.did, maxTtl: 86_400, grants: [{ resource: `${SELF}/**`, actions: ['book', 'quote'] }] }],
    ...overrides,
  })
}

/** The signed status list with the given indexes revoked. */
export function listToken(
  revoked: readonly number[] = [],
  version = 42,
  claims: JsonObject = {},
  signer: Signer = status,
): Promise<string> {
  const list = toListJson(LIST, status.did, bitsOf(MIN_BITS, revoked), version, NOW - 10)
  return signJws({ ...list, ...claims }, 'vc+jwt', signer)
}

/** The real adapters over a network that is a table: documents of owner and status, one status list. All state is fresh. */
export async function world(
  overrides: Partial<VerifierPorts> & { readonly list?: string } = {},
): Promise<VerifierPorts> {
  const { list = await listToken(), ...ports } = overrides
  const clock = { now: () => NOW }
  const documents = [owner, status].map(
    ({ did, kid, publicKey: key }) => [didWebUrl(did), JSON.stringify(toDidDocument(did, [{ kid, key }]))] as const,
  )
  const served = new Map<string, string>([...documents, [LIST, list]])
  const fetch = tableFetch(url => served.get(url) ?? null)
  return {
    clock,
    ids: countingIds(),
    keys: createKeys({ fetch, clock, maxDocuments: 10, maxKeys: 100 }),
    statusLists: createStatusLists({ fetch, clock, maxLists: 10 }),
    listVersions: memoryVersions(),
    revocations: memoryRevocations(),
    streams: { isHealthy: () => false },
    chains: memoryChains(clock),
    nonces: memoryNonces(clock, countingIds()),
    ledger: memoryLedger({ now: () => NOW - 1000 }, { budgets: true }),
    audit: { record: () => Promise.resolve() },
    ...ports,
  }
}
