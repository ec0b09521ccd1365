import { sha256 } from '../../src/encoding.js'
import { ALICE, BOB, SELF } from './cast.js'
import { type Authority, type Grant, allowing, authorityOf, names, narrows, spends } from './model-authority.js'
import { statusOf, unset } from './model-lists.js'
import { isRead } from './identities.js'
import { vouched } from './model-identities.js'
import { Wrong, exactly, headerFits, isInt, isText, must, objectOf, same, times } from './must.js'
import {
  type Actor,
  type Asked,
  type Draft,
  type Loose,
  type LooseObject,
  type Scene,
  at,
  isAsked,
  textOf,
  write,
} from './scene.js'

/**
 * The profile read a second time, without its code and over claims instead of tokens: says why a request must not be
 * allowed. Signatures are not looked at: whoever calls knows whether they were broken. It may be stricter than the
 * verifier in what no break here reaches, never more lenient in what one does.
 */
export interface Outcome {
  readonly links: readonly Draft[]
  readonly shown: Draft
  readonly approval: Draft | null
  readonly lists: ReadonlyMap<string, Draft>
  readonly asked: Asked
  readonly now: number
  readonly age: number
  /** the bits of each list that are set, `null` where its encoding is broken */
  readonly bits: (encoded: Loose) => Uint8Array | null
  /** of the tokens, root first */
  readonly digests: readonly string[]
  /** who the chain is handed to */
  readonly holders: readonly Actor[]
}

/** Why it must not be allowed, or `null` if nothing speaks against it. */
export function objection(outcome: Outcome, scene: Scene): string | null {
  try {
    judge(outcome, scene)
    return null
  } catch (error) {
    if (error instanceof Wrong) return error.message
    throw error
  }
}

function judge(outcome: Outcome, scene: Scene): void {
  const { links, shown, approval, asked, now } = outcome
  const wanting: Grant[] = [{ resource: `${SELF}/**`, actions: [asked.action] }]
  const authorities: Authority[] = []
  const entries: { readonly entry: LooseObject; readonly issuers: readonly LooseObject[] }[] = []
  links.forEach((link, index) => {
    const good = scene.links[index]
    must(good !== undefined, 'a link that was not there')
    headerFits(link, 'vc+jwt', 'vc', index > 0)
    const claims = objectOf(link.claims, 'claims')
    envelopeFits(claims, good.claims as LooseObject, outcome.holders[index]!)
    const { from, until, iat } = times(claims)
    must(now >= from - 30 && now < until, 'out of time')
    const above = links[index - 1]
    if (above === undefined) must(until - from <= 50_000, 'root lives too long')
    else {
      const over = times(objectOf(above.claims, 'claims'))
      must(from >= over.from && until <= over.until && iat >= over.iat, 'window wider than above')
    }
    const authority = authorityOf(at(claims, 'credentialSubject', 'authority'))
    narrows(authority, authorities, above, index, outcome.digests[index - 1])
    authorities.push(authority)
    for (const { to } of authorities.slice(0, -1))
      if (to !== undefined)
        must(
          to.some(one => names(one, outcome.holders[index]!.did)),
          'not a recipient',
        )
    wanting.push(allowing(authority.grants, asked))
    spends(authority, asked)
    const issuers = authorities.findLast(one => one.statusIssuers !== undefined)?.statusIssuers ?? []
    const status = claims['credentialStatus']
    if (status === undefined) must(until - from <= 300, 'no status')
    else for (const entry of statusOf(status)) entries.push({ entry, issuers })
  })
  const purposes = authorities.flatMap(one => one.purpose ?? [])
  shownFits(outcome, scene)
  const purpose = at(shown.claims, 'request', 'purpose')
  must(
    purposes.every(one => one === purpose),
    'another mission',
  )
  if (at(shown.claims, 'identity') !== undefined || isRead(scene, asked.action)) {
    for (const { claims, index, own } of vouched(outcome, scene)) {
      const issuers = authorities.slice(0, index + 1).findLast(one => one.statusIssuers !== undefined)?.statusIssuers
      const status = claims['credentialStatus']
      if (status === undefined) continue
      for (const entry of statusOf(status)) entries.push({ entry, issuers: [...(issuers ?? []), ...own] })
    }
  }
  for (const { entry, issuers } of entries) unset(outcome, entry, issuers)
  const isApprovalDue = isAsked(scene.asks.approval, scene, asked.action)
  if (isApprovalDue || wanting.some(grant => grant.perCall === true)) approved(approval, outcome)
}

function envelopeFits(claims: LooseObject, good: LooseObject, holder: Actor): void {
  for (const name of ['@context', 'type', 'issuer', 'iss']) must(same(claims[name], good[name]), name)
  must(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(textOf(claims['id'])), 'id')
  must(claims['sub'] === holder.did, 'sub')
  must(same(claims['cnf'], { jwk: { crv: 'Ed25519', kty: 'OKP', x: holder.publicKey.x } }), 'cnf')
  for (const name of ['vc', 'vp', 'nbf', 'proof', 'termsOfUse']) must(!Object.hasOwn(claims, name), name)
  const subject = objectOf(claims['credentialSubject'], 'credentialSubject')
  exactly(subject, ['id', 'authority'])
  must(subject['id'] === holder.did, 'subject')
}

const SHOWN = ['@context', 'holder', 'iss', 'aud', 'iat', 'exp', 'jti', 'request']

function shownFits({ shown, now, asked, holders, digests }: Outcome, scene: Scene): void {
  const { inline, shown: good, nonce, policy } = scene
  headerFits(shown, inline ? 'vp+jwt' : 'agent-proof+jwt', inline ? 'vp' : null, true)
  const claims = objectOf(shown.claims, 'presentation')
  exactly(claims, [...SHOWN, ...(inline ? ['type', 'verifiableCredential'] : ['leaf'])], ['nonce', 'identity'])
  const due = good.claims as LooseObject
  for (const name of inline ? ['@context', 'aud', 'type'] : ['@context', 'aud'])
    must(same(claims[name], due[name]), name)
  const holder = holders.at(-1)?.did
  must(claims['holder'] === holder && claims['iss'] === holder && shown.signer.did === holder, 'holder')
  if (!inline) must(claims['leaf'] === digests.at(-1), 'leaf')
  const { iat, exp, jti } = claims
  must(isInt(iat) && isInt(exp) && exp > iat && exp - iat <= 120, 'lifetime')
  must(iat <= now + 30 && now < exp + 30 && iat >= 0, 'presentation out of time')
  must(/^[A-Za-z0-9_-]{22,64}$/.test(textOf(jti)) && typeof jti === 'string', 'jti')
  if (!isAsked(scene.asks.challenge, scene, asked.action))
    must(claims['nonce'] === undefined || isText(claims['nonce']), 'nonce')
  else must(claims['nonce'] === nonce, 'nonce')
  const request = objectOf(claims['request'], 'request')
  exactly(request, ['htm', 'htu', 'action', 'resource', 'paramsDigest'], ['bodyDigest', 'purpose', 'provenance'])
  const { htm, htu, action, resource, paramsDigest, bodyDigest, provenance } = request
  must(htm === asked.method && htu === asked.url && action === asked.action && resource === asked.resource, 'request')
  must((bodyDigest ?? null) === asked.bodyDigest && (bodyDigest === undefined || bodyDigest !== null), 'body')
  must(paramsDigest === Buffer.from(sha256(write(asked.params))).toString('base64url'), 'params')
  must(provenance !== undefined || policy.provenance === 'none', 'no provenance')
  if (provenance !== undefined) {
    must(Array.isArray(provenance) && provenance.length > 0 && provenance.length <= 8, 'provenance')
    for (const one of provenance) {
      exactly(objectOf(one, 'provenance'), ['source', 's256'])
      must(/^(did:|https:)/.test(textOf(at(one, 'source'))) && isText(at(one, 's256')), 'provenance')
      must(typeof policy.provenance === 'string' || policy.provenance.includes(textOf(at(one, 'source'))), 'source')
    }
  }
}

function approved(approval: Draft | null, { asked, shown, digests, now }: Outcome): void {
  must(approval !== null, 'no approval')
  headerFits(approval, 'agent-approval+jwt', null)
  must([ALICE, BOB].includes(approval.signer), 'no approver')
  const claims = objectOf(approval.claims, 'approval')
  exactly(claims, [
    'iss',
    'aud',
    'iat',
    'exp',
    'jti',
    'leaf',
    'action',
    'resource',
    'paramsDigest',
    'decision',
    'approver',
  ])
  const { iss, aud, iat, exp, jti, action, resource, paramsDigest, decision, approver } = claims
  must(claims['leaf'] === digests.at(-1), 'approval of another chain')
  must(iss === approval.signer.did && aud === SELF && decision === 'approve', 'approval')
  must(action === asked.action && resource === asked.resource, 'approval of another action')
  must(paramsDigest === at(shown.claims, 'request', 'paramsDigest'), 'approval of other parameters')
  must(
    isInt(iat) && isInt(exp) && iat >= 0 && exp > iat && exp - iat <= 300 && iat <= now + 30 && now < exp + 30,
    'approval',
  )
  must(/^[A-Za-z0-9_-]{22,64}$/.test(textOf(jti)), 'jti')
  const who = objectOf(approver, 'approver')
  exactly(who, ['id', 'method'])
  must(isText(who['id']) && isText(who['method']), 'approver')
}
