import { randomBytes, randomUUID } from 'node:crypto'
import {
  memoryChains,
  memoryLedger,
  memoryNonces,
  memoryRevocations,
  memoryVersions,
} from '../../src/adapters/state/memory.js'
import { VcJoseProvider } from '../../src/adapters/veramo/provider.js'
import { toAuthorityJson, type Authority } from '../../src/authority/authority.js'
import { CONTEXTS, toCredentialJson, type CredentialDraft } from '../../src/credential/credential.js'
import { CAPABILITY, DELEGATION } from '../../src/delegation/chain.js'
import { didOf, methodOf, type Did } from '../../src/did/did.js'
import { fromDidKey } from '../../src/did/key.js'
import { digestOf } from '../../src/encoding.js'
import { ProcuraError } from '../../src/errors.js'
import { canonicalize, type Json, type JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import { parsePolicy, type Policy } from '../../src/policy/policy.js'
import type { Keys } from '../../src/ports/deciding.js'
import { envelope } from '../../src/presentation/envelope.js'
import { PRESENTATION } from '../../src/presentation/presentation.js'
import { bodyDigest, paramsDigest, type ReceivedRequest } from '../../src/presentation/request.js'
import { bitsOf, MIN_BITS } from '../../src/status/bitstring.js'
import { toStatusJson } from '../../src/status/entry.js'
import { toListJson } from '../../src/status/list.js'
import { createVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import { booker, NOW, owner, planner, signText, type Actor } from './actors.js'
import { credentialAnswer, presentationAnswer, stockAgent, type Agent } from './stock.js'

export const SELF = 'https://api.travel.example'
const BASE = 'https://status.travel.example/sl/'
const LIST = `${BASE}1`
/** Where the root's revocation bit stands. */
export const INDEX = 4711

const GRANT = { resource: `${SELF}/bookings/**`, actions: ['book', 'quote'] } as const

/** What the server received, and what the presentations of {@link present} are signed for. */
export const REQUEST: ReceivedRequest = {
  method: 'POST',
  url: `${SELF}/bookings/SYD-2231`,
  bodyDigest: bodyDigest('{"fare":"economy"}'),
  action: 'book',
  resource: `${SELF}/bookings/SYD-2231`,
  params: { fare: 'economy' },
}

const uuid = (): string => randomUUID()

/** Claims of a root from `owner` to `planner`, ten minutes old. */
export function rootClaims(draft: Partial<CredentialDraft> = {}, subject: Actor = planner): JsonObject {
  const authority: Authority = {
    v: 1,
    hop: 0,
    more: 2,
    audience: [SELF],
    grants: [GRANT],
    statusIssuers: [{ iss: owner.did, base: BASE }],
  }
  return toCredentialJson({
    id: `urn:uuid:${uuid()}`,
    type: CAPABILITY,
    issuer: owner.did,
    subject: subject.did,
    key: subject.key,
    issuedAt: NOW - 600,
    validFrom: NOW - 600,
    validUntil: NOW + 600,
    claims: { authority: toAuthorityJson(authority) },
    status: toStatusJson(LIST, INDEX),
    ...draft,
  })
}

export const rootOf = (draft: Partial<CredentialDraft> = {}, subject: Actor = planner): Promise<string> =>
  signJws(rootClaims(draft, subject), 'vc+jwt', owner)

/** A delegation from `planner` to `booker` under `root`, short enough to need no status. */
export function delegationOf(root: string, draft: Partial<CredentialDraft> = {}): Promise<string> {
  const [head, body] = root.split('.')
  const { id } = JSON.parse(Buffer.from(body!, 'base64url').toString()) as { id: string }
  const authority: Authority = {
    v: 1,
    hop: 1,
    more: 0,
    audience: [SELF],
    grants: [GRANT],
    parent: { id, digest: digestOf(`${head}.${body}`) },
  }
  const claims = toCredentialJson({
    id: `urn:uuid:${uuid()}`,
    type: DELEGATION,
    issuer: planner.did,
    subject: booker.did,
    key: booker.key,
    issuedAt: NOW - 100,
    validFrom: NOW - 100,
    validUntil: NOW + 100,
    claims: { authority: toAuthorityJson(authority) },
    ...draft,
  })
  return signJws(claims, 'vc+jwt', planner)
}

/** `owner` → `planner` → `booker`. */
export async function goodChain(): Promise<readonly [string, string]> {
  const root = await rootOf()
  return [root, await delegationOf(root)]
}

/** Claims of a presentation of {@link REQUEST}. */
export function presentationClaims(credentials: readonly Json[], holder: Actor = booker): JsonObject {
  const { method: htm, url: htu, bodyDigest: body, action, resource, params } = REQUEST
  return {
    '@context': CONTEXTS,
    type: ['VerifiablePresentation', PRESENTATION],
    holder: holder.did,
    iss: holder.did,
    aud: SELF,
    iat: NOW - 2,
    exp: NOW + 58,
    jti: randomBytes(16).toString('base64url'),
    request: { htm, htu, bodyDigest: body, action, resource, paramsDigest: paramsDigest(params) },
    verifiableCredential: credentials,
  }
}

/** A fresh presentation of {@link REQUEST}; `more` overrides claims. */
export function present(chain: readonly string[], holder: Actor = booker, more: JsonObject = {}): Promise<string> {
  return signJws({ ...presentationClaims(chain.map(envelope), holder), ...more }, 'vp+jwt', holder)
}

/** A `vp+jwt` whose envelopes are whatever is given. */
export function presentRaw(entries: readonly Json[], holder: Actor = booker): Promise<string> {
  return signJws(presentationClaims(entries, holder), 'vp+jwt', holder)
}

/** Claims under a header of the attacker's choice; both in canonical form. */
export function signWith(claims: JsonObject, header: JsonObject, signer: Actor): string {
  return signText(canonicalize(header), canonicalize(claims), signer)
}

/** The header that {@link signJws} writes for `signer`. */
export function headerOf(signer: Actor, typ: 'vc+jwt' | 'vp+jwt' = 'vc+jwt'): JsonObject {
  return { alg: 'EdDSA', cty: typ === 'vc+jwt' ? 'vc' : 'vp', kid: signer.kid, typ }
}

/** A verifier of its own memory, asked in two ways: directly, and through a Veramo agent. */
export interface World {
  readonly agent: Agent
  readonly provider: VcJoseProvider
  /** DIDs and list URLs that the verifier asked for, in order */
  readonly fetched: readonly string[]
  readonly nonces: { issue(self: string): Promise<string> }
  /** `verified` or the code of `agent.verifyCredential` */
  credential(document: unknown): Promise<string>
  /** `verified` or the code of `agent.verifyPresentation` for {@link REQUEST} */
  presentation(document: unknown): Promise<string>
  /** `verified` or the code of `decide` for {@link REQUEST} */
  decide(token: string): Promise<string>
}

/** What differs from the usual. */
interface Setting {
  readonly policy?: object
  readonly revoked?: readonly number[]
  /** seconds since the list's host answered */
  readonly listAge?: number
  readonly clock?: () => number
}

/** Trusts `owner`. */
export function world({ policy = {}, revoked = [], listAge = 0, clock = () => NOW }: Setting = {}): World {
  const fetched: string[] = []
  const nonces = memoryNonces(
    { now: () => NOW },
    { uuid: randomUUID, token: () => randomBytes(16).toString('base64url') },
  )
  const trusted = parsePolicy({ self: SELF, roots: [{ issuer: owner.did, grants: [GRANT] }], ...policy })
  const list = signJws(toListJson(LIST, owner.did, bitsOf(MIN_BITS, revoked), 1, NOW - 5), 'vc+jwt', owner)
  const fresh = (): VerifierPorts => ({
    clock: { now: clock },
    ids: { uuid: randomUUID, token: () => randomBytes(16).toString('base64url') },
    keys: didKeys(fetched),
    statusLists: {
      async read(url) {
        fetched.push(url)
        if (url !== LIST) throw new ProcuraError('STATUS_UNAVAILABLE', { list: url, why: 'the host does not answer' })
        return { snapshot: { token: await list }, age: listAge }
      },
    },
    listVersions: memoryVersions(),
    revocations: memoryRevocations(),
    streams: { isHealthy: () => false },
    chains: memoryChains({ now: () => NOW }),
    nonces,
    // of a process that started before any of the presentations here was made
    ledger: memoryLedger({ now: () => NOW - 100 }, { budgets: true }),
    audit: { record: () => Promise.resolve() },
  })
  const provider = new VcJoseProvider({ policy: trusted, ports: fresh() })
  const agent = stockAgent([provider])
  const direct = fresh()
  return {
    agent,
    provider,
    fetched,
    nonces,
    credential: document => credentialAnswer(agent, document),
    presentation: document => presentationAnswer(agent, document, { request: REQUEST }),
    decide: token => directly(token, trusted, direct),
  }
}

async function directly(token: string, policy: Policy, ports: VerifierPorts): Promise<string> {
  const { allow, code } = await createVerifier(policy, ports).decide(token, REQUEST)
  return allow ? 'verified' : code
}

function didKeys(fetched: string[]): Keys {
  const keyOf = (did: Did) => {
    fetched.push(did)
    if (methodOf(did) !== 'key') throw new ProcuraError('DID_METHOD', { did })
    return fromDidKey(did)
  }
  return {
    find: kid =>
      Promise.resolve().then(() => (kid === `${didOf(kid)}#${didOf(kid).slice(8)}` ? keyOf(didOf(kid)) : null)),
    all: did => Promise.resolve().then(() => [keyOf(did)]),
  }
}
