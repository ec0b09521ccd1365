import { ACTION, isGrantWithin, type Grant } from '../authority/grant.js'
import { isSelector } from '../authority/resource.js'
import { MAX_CREDENTIAL, toCredentialJson } from '../credential/credential.js'
import { DELEGATION, leafOf, readNext } from '../delegation/chain.js'
import { MAX_ROOT_TTL, nearest } from '../delegation/narrowing.js'
import { isDid, methodOf, type Did } from '../did/did.js'
import { fromDidKey } from '../did/key.js'
import type { PublicKey } from '../ed25519.js'
import { ProcuraError } from '../errors.js'
import { isObject, type JsonObject } from '../json.js'
import { digestOfToken, draftJws } from '../jws/compact.js'
import type { GrantUse, HoldingQuery } from '../ports/holding.js'
import type { KeyHolder } from '../ports/keys.js'
import { MAX_UNLISTED, toStatusJson } from '../status/entry.js'
import { toSeconds } from '../time.js'
import { toHeld, type OpenHeld } from './keeping.js'
import type { Delegation, WalletPorts } from './wallet.js'

/** Signs a delegation under a parent, once it was read as others will read it: what would widen is never signed. */
export async function signUnder(
  parent: OpenHeld,
  request: Delegation,
  holder: KeyHolder,
  { clock, ids, keys, leases }: WalletPorts,
): Promise<OpenHeld> {
  const now = clock.now()
  const above = parent.authority
  const { digest, id } = leafOf(parent.links)
  const { to, key, ttl, recipients, audience = above.audience, more = 0, ...rest } = request
  const members = Object.entries(rest).filter(([name]) => name !== 'chain' && name !== 'onBehalfOf')
  if (!isDid(to)) throw new ProcuraError('SCHEMA', { at: 'to', why: 'is not a DID' })
  const recipient = key ?? keyOf(to)
  const seconds = toSeconds(ttl)
  if (seconds === null || seconds > MAX_ROOT_TTL) {
    throw new ProcuraError('SCHEMA', { at: 'ttl', why: `is not a time from 1 to ${MAX_ROOT_TTL} seconds, or as 10m` })
  }
  const validUntil = now + seconds
  const authority = {
    v: 1,
    hop: above.hop + 1,
    more,
    audience,
    ...Object.fromEntries(members),
    ...(recipients === undefined ? {} : { to: recipients }),
    parent: { id, digest },
  } as unknown as JsonObject
  const claims = toCredentialJson({
    id: `urn:uuid:${ids.uuid()}`,
    type: DELEGATION,
    issuer: holder.did,
    subject: to,
    key: recipient,
    issuedAt: now,
    validFrom: now,
    validUntil,
    claims: { authority },
  })
  const draft = draftJws(claims, 'vc+jwt', MAX_CREDENTIAL, 'delegation', holder)
  const link = await readNext(parent.links, draft.claims, holder, keys)
  const status = seconds <= MAX_UNLISTED ? undefined : await leased()
  const token = await draft.sign(status === undefined ? {} : { credentialStatus: status })
  const whole = { ...link, digest: digestOfToken(token), status }
  return toHeld([...parent.links, whole], [...parent.chain, token], parent.rootKey)

  async function leased(): Promise<JsonObject> {
    const inForce =
      nearest(
        parent.links.map(link => link.claims.authority),
        'statusIssuers',
      ) ?? []
    const bases = inForce.map(({ base }) => base)
    const { url, index } = await leases.take({ chain: parent.chain, bases, validUntil, signer: holder })
    return toStatusJson(url, index)
  }
}

/** What a parent must grant at least, as far as the index knows: resource and action of the first grant. */
export function queryOf({ grants }: Delegation): Pick<HoldingQuery, 'resource' | 'action'> {
  const [first] = Array.isArray(grants) ? (grants as readonly unknown[]) : []
  const { resource, actions } = isObject(first) ? first : {}
  const [action] = Array.isArray(actions) ? (actions as readonly unknown[]) : []
  // what is malformed is told when it is read as a credential
  return isSelector(resource) && typeof action === 'string' && ACTION.test(action) ? { resource, action } : {}
}

/** The grants of a parent that a child stands on. */
export function usesOf(
  children: readonly Grant[],
  parents: readonly Grant[],
): readonly Pick<GrantUse, 'grant' | 'action'>[] {
  return children.flatMap(child => {
    const grant = parents.findIndex(parent => isGrantWithin(child, parent))
    return child.actions.map(action => ({ grant, action }))
  })
}

function keyOf(did: Did): PublicKey {
  if (methodOf(did) !== 'key') throw new ProcuraError('KEY_BINDING', { did, purpose: 'known' })
  return fromDidKey(did)
}
