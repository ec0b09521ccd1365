import { ACTION, type Call } from '../authority/grant.js'
import { isResource } from '../authority/resource.js'
import { isDid, type Did } from '../did/did.js'
import type { PublicKey } from '../ed25519.js'
import { isDigest, isS256, type Digest } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { isObject, requireShallow, type Json, type JsonObject } from '../json.js'
import { openJws, readJws, signJws, type Sealed } from '../jws/compact.js'
import { integer, object, oneOf, read, text, where } from '../shape.js'
import type { Signer } from '../signer.js'
import { SKEW, type UnixSeconds } from '../time.js'
import { MAX_PROOF } from './presentation.js'
import { MAX_PARAMS_DEPTH, paramsDigest } from './request.js'

/** Longest life of an approval, in seconds. */
export const MAX_APPROVAL = 300

/** What a verifier asks a person to approve, built from the server's own parameters: exactly what will run. */
export interface ApprovalRequest {
  readonly audience: string
  /** digest of the chain's last link */
  readonly leaf: Digest
  readonly action: string
  readonly resource: string
  readonly paramsDigest: string
  /** the parameters themselves, for the person to read */
  readonly display: JsonObject
}

/** Nothing but parameters may hold white space: in the lines of a terminal it could pass for another line. */
const requestShape = object({
  audience: text(/^\S+$/),
  leaf: where(isDigest, 'is not a credential digest'),
  action: text(ACTION),
  resource: where(isResource, 'is not a canonical resource'),
  paramsDigest: where(isS256, 'is not a SHA-256'),
  display: where(isObject, 'is not an object'),
})

/**
 * Reads what a verifier asks a person to approve.
 *
 * @throws SCHEMA, JSON_DEPTH, JSON_NOT_CANONICAL; REQUEST_PARAMS - the digest is not of what is displayed
 */
export function parseApprovalRequest(value: Json): ApprovalRequest {
  const request = read(requestShape, value, 'approval')
  requireShallow(request.display, 'the parameters', MAX_PARAMS_DEPTH)
  if (paramsDigest(request.display) !== request.paramsDigest) throw new ProcuraError('REQUEST_PARAMS', {})
  return request
}

/** Claims of an `agent-approval+jwt` (profile §5.3). */
export interface Approval {
  readonly iss: Did
  readonly aud: string
  readonly iat: UnixSeconds
  readonly exp: UnixSeconds
  readonly jti: string
  readonly leaf: Digest
  readonly action: string
  readonly resource: string
  readonly paramsDigest: string
  readonly decision: 'approve'
  readonly approver: { readonly id: string; readonly method: string }
}

const approvalShape = object({
  iss: where(isDid, 'is not a DID'),
  aud: text(),
  iat: integer(0),
  exp: integer(0),
  jti: text(/^[A-Za-z0-9_-]{22,64}$/),
  leaf: where(isDigest, 'is not a credential digest'),
  action: text(),
  resource: text(),
  paramsDigest: where(isS256, 'is not a SHA-256'),
  decision: oneOf('approve'),
  approver: object({ id: text(), method: text() }),
})

/**
 * What has to be approved for a call under a chain.
 *
 * @param digest - of the parameters, where it is known already
 */
export function toApprovalRequest(
  audience: string,
  leaf: Digest,
  { action, resource, params }: Call,
  digest = paramsDigest(params),
): ApprovalRequest {
  return { audience, leaf, action, resource, paramsDigest: digest, display: params }
}

/**
 * Signs an approval of exactly what is displayed.
 *
 * @param method - how the person approved, `terminal` for example; put on record
 * @throws REQUEST_PARAMS - what is displayed is not what would be approved
 */
export async function signApproval(
  signer: Signer,
  { audience, leaf, action, resource, paramsDigest: digest, display }: ApprovalRequest,
  method: string,
  jti: string,
  now: UnixSeconds,
): Promise<string> {
  if (paramsDigest(display) !== digest) throw new ProcuraError('REQUEST_PARAMS', {})
  const approval: Approval = {
    iss: signer.did,
    aud: audience,
    iat: now,
    exp: now + MAX_APPROVAL,
    jti,
    leaf,
    action,
    resource,
    paramsDigest: digest,
    decision: 'approve',
    approver: { id: signer.did, method },
  }
  return signJws(approval, 'agent-approval+jwt', signer)
}

/** Reads form and header; its signer decides whether a key is looked up at all. @throws the codes of steps 1–3 */
export function readApproval(token: string): Sealed {
  return readJws(token, 'agent-approval+jwt', MAX_PROOF, 'approval')
}

/**
 * Verifies an approval and requires it to be of exactly this call, now.
 *
 * @throws SIGNATURE_INVALID, SCHEMA, APPROVAL_INVALID
 */
export function openApproval(sealed: Sealed, key: PublicKey, due: ApprovalRequest, now: UnixSeconds): Approval {
  const approval = read(approvalShape, openJws(sealed, key), 'approval')
  const wrong = (why: string): ProcuraError => new ProcuraError('APPROVAL_INVALID', { why })
  if (approval.iss !== sealed.signer) throw wrong('its issuer is not its signer')
  if (approval.aud !== due.audience) throw wrong('it is for another verifier')
  if (approval.leaf !== due.leaf) throw wrong('it is for another delegation')
  if (approval.action !== due.action || approval.resource !== due.resource) throw wrong('it is for another action')
  if (approval.paramsDigest !== due.paramsDigest) throw wrong('it is for other parameters')
  if (approval.exp <= approval.iat || approval.exp - approval.iat > MAX_APPROVAL) throw wrong('it lives too long')
  if (approval.iat > now + SKEW || now >= approval.exp + SKEW) throw wrong('it is not valid now')
  return approval
}
