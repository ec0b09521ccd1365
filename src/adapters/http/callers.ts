import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import type { Counted } from '../../api/operation.js'
import { methodOf, type Did } from '../../did/did.js'
import { parsePublicKey, type PublicKey } from '../../ed25519.js'
import { ProcuraError } from '../../errors.js'
import type { Sealed } from '../../jws/compact.js'
import type { Keys, Ledger, Throttle } from '../../ports/deciding.js'
import type { Subject, Subjects } from '../../ports/register.js'
import type { Clock } from '../../ports/world.js'
import { requireFresh } from '../../presentation/presentation.js'
import { openProof, readProof, requireBound, type Proof } from '../../presentation/proof.js'
import { bodyDigest } from '../../presentation/request.js'
import { SKEW } from '../../time.js'
import type { Verifier } from '../../verifier/verifier.js'
import { headerValues, PROOF_HEADER } from './guard.js'
import { requireSettled, throttleOf, type Limits } from './limits.js'

/** A resource server that may ask for decisions: bound to its own audience and policy. */
export interface ResourceServer {
  readonly name: string
  /** base64url SHA-256 of its bearer secrets: while one is replaced, of both */
  readonly secretHashes: readonly string[]
  readonly verifier: Verifier
}

/** What is needed to know a caller by its proof. */
export interface ProofPorts {
  readonly clock: Clock
  readonly keys: Keys
  readonly ledger: Ledger
  readonly subjects: Pick<Subjects, 'find'>
  /** the service's own https origin */
  readonly origin: string
  /** DIDs that are looked up, though nobody registered them */
  readonly admins: ReadonlySet<Did>
  readonly limits: Limits
}

/**
 * Who calls, by an `Agent-Proof` bound to this request and used once (profile §5.2).
 *
 * Says who it is, not what it may do. The register's key counts for who is registered; only did:key and admins are looked
 * up beside, so no stranger makes us fetch.
 *
 * @param meet - told of a signer that is neither registered nor an admin, before anything of it is kept: keys cost nothing
 * @param counted - the kind of call, if it is bounded; it is counted in the same step that uses the proof up
 * @throws CALLER_UNKNOWN, RATE_LIMITED and the codes of steps 1–3, 7 and 13–15
 */
export async function proveCaller(
  request: FastifyRequest,
  rawBody: Uint8Array | null,
  ports: ProofPorts,
  meet: () => Promise<void>,
  counted?: Counted,
): Promise<Did> {
  const [token, ...more] = headerValues(request.raw, PROOF_HEADER)
  if (token === undefined || more.length > 0)
    throw new ProcuraError('CALLER_UNKNOWN', { why: 'one Agent-Proof header is due' })
  const sealed = readProof(token)
  const subject = await ports.subjects.find(sealed.signer)
  if (subject === null && !ports.admins.has(sealed.signer)) await meet()
  const key = await keyOfCaller(sealed, subject, ports)
  const { signer } = sealed
  const isFree = counted === undefined || ports.admins.has(signer)
  const throttles = isFree ? [] : [throttleOf(ports.limits, counted, signer)]
  await requireOnce(openProof(sealed, key), key, request, bodyDigest(rawBody), ports, throttles)
  return signer
}

async function keyOfCaller(sealed: Sealed, subject: Subject | null, { keys, admins }: ProofPorts): Promise<PublicKey> {
  if (subject !== null) return parsePublicKey(Buffer.from(subject.key, 'base64url'), sealed.kid)
  if (methodOf(sealed.signer) !== 'key' && !admins.has(sealed.signer)) {
    throw new ProcuraError('CALLER_UNKNOWN', { why: `${sealed.signer} is not known here` })
  }
  const key = await keys.find(sealed.kid, 'authentication')
  if (key === null) throw new ProcuraError('KEY_NOT_AUTHORIZED', { kid: sealed.kid, purpose: 'authentication' })
  return key
}

/**
 * The holder of a key agrees to be named in this call: an `agent-proof+jwt` of its own for the route, without a body, for
 * it stands in the body itself.
 *
 * @throws CALLER_UNKNOWN and the codes of steps 1–3, 8 and 13–15
 */
export async function provePossession(
  request: FastifyRequest,
  possession: string,
  { did, key }: { readonly did: Did; readonly key: PublicKey },
  ports: ProofPorts,
): Promise<void> {
  const sealed = readProof(possession)
  if (sealed.signer !== did) throw new ProcuraError('CALLER_UNKNOWN', { why: `possession is not proved by ${did}` })
  await requireOnce(openProof(sealed, key), key, request, null, ports)
}

async function requireOnce(
  { aud, iat, exp, jti, request: signed }: Proof,
  key: PublicKey,
  { method, raw }: FastifyRequest,
  bodyDigest: string | null,
  { clock, ledger, origin }: ProofPorts,
  throttles: readonly Throttle[] = [],
): Promise<void> {
  if (aud !== origin) throw new ProcuraError('PRESENTATION_AUDIENCE', { at: 'aud', self: origin })
  requireFresh({ iat, exp }, clock.now())
  requireBound(signed, { method, url: `${origin}${raw.url ?? ''}`, bodyDigest })
  const use = { key: `${key.x}:${jti}`, issuedAt: iat, until: exp + SKEW }
  requireSettled(await ledger.settle({ uses: [use], throttles, charges: [], hold: null, now: clock.now() }))
}

/** The resource server whose bearer secret this is. All hashes are compared, each in constant time. @throws CALLER_UNKNOWN */
export function proveResourceServer(request: FastifyRequest, servers: readonly ResourceServer[]): ResourceServer {
  const [header = '', ...more] = headerValues(request.raw, 'authorization')
  const secret = more.length > 0 ? '' : (/^Bearer ([A-Za-z0-9._~+/=-]{16,512})$/.exec(header)?.[1] ?? '')
  const hash = createHash('sha256').update(secret).digest()
  const isIt = (secretHash: string): boolean => {
    const expected = Buffer.from(secretHash, 'base64url')
    return expected.length === hash.length && timingSafeEqual(expected, hash)
  }
  const matching = servers.filter(({ secretHashes }) => secretHashes.filter(isIt).length > 0)
  const [server] = matching
  if (secret === '' || server === undefined)
    throw new ProcuraError('CALLER_UNKNOWN', { why: 'no bearer secret of a resource server' })
  return server
}

/** Counts a call of a resource server that is of a bounded kind. @throws RATE_LIMITED, LEDGER_UNAVAILABLE */
export async function countCall(counted: Counted, { name }: ResourceServer, ports: ProofPorts): Promise<void> {
  const throttles = [throttleOf(ports.limits, counted, `resource server ${name}`)]
  const now = ports.clock.now()
  requireSettled(await ports.ledger.settle({ uses: [], throttles, charges: [], hold: null, now }))
}
