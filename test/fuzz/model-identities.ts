import { verify, createPublicKey } from 'node:crypto'
import { digestOf } from '../../src/encoding.js'
import { EVERYBODY } from './cast.js'
import { isRead } from './identities.js'
import type { Outcome } from './model.js'
import { exactly, headerFits, isText, must, objectOf, same, setOf, times } from './must.js'
import { type Actor, type Draft, type Loose, type LooseObject, type Scene, isAsked, textOf, write } from './scene.js'

const MEMBERS = ['@context', 'id', 'type']
const DIGEST = /^uEi[A-Za-z0-9_-]{44}$/
const DID = /^did:[a-z0-9]+:[A-Za-z0-9._:%-]+$/

/** Unlike the links', these are read from their bytes: whatever was done to them shows there. */
function open(entry: Loose): Draft & { readonly content: string; readonly isSigned: boolean } {
  const wrapped = objectOf(entry, 'envelope')
  exactly(wrapped, MEMBERS)
  must(same(wrapped['@context'], 'https://www.w3.org/ns/credentials/v2'), 'envelope')
  must(wrapped['type'] === 'EnvelopedVerifiableCredential', 'envelope')
  const [, token = ''] = /^data:application\/vc\+jwt,(.*)$/s.exec(textOf(wrapped['id'])) ?? []
  const parts = token.split('.')
  must(parts.length === 3 && token.length <= 8192, 'identity token')
  const bytes = parts.map(part => Buffer.from(part, 'base64url'))
  must(
    bytes.every((one, index) => one.length > 0 && one.toString('base64url') === parts[index]),
    'base64url',
  )
  const [header = null, claims = null] = bytes.slice(0, 2).map(parsed)
  const kid = textOf(objectOf(header, 'identity header')['kid'])
  const signer = EVERYBODY.find(one => one.kid === kid)
  const content = `${parts[0]}.${parts[1]}`
  const named = { ...EVERYBODY[0]!, ...signer, kid } as Actor
  headerFits({ header: header as LooseObject, claims, signer: named }, 'vc+jwt', 'vc')
  must(DID.test(kid.split('#')[0] ?? '') && kid.split('#').length === 2, 'kid')
  const isSigned = signer !== undefined && isBy(signer, content, bytes[2]!)
  return { header: header as LooseObject, claims, signer: named, content, isSigned }
}

function parsed(bytes: Buffer): Loose {
  try {
    const value = JSON.parse(bytes.toString()) as Loose
    must(write(value) === bytes.toString(), 'not canonical')
    return value
  } catch {
    must(false, 'no JSON')
  }
}

function isBy({ publicKey: { x } }: Actor, content: string, signature: Buffer): boolean {
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return verify(null, Buffer.from(content), key, signature)
}

/** What has to be asked of whose status list. */
export interface Vouched {
  readonly claims: LooseObject
  /** of the link it describes */
  readonly index: number
  /** a pair as if its issuer were named: its own host serves its lists */
  readonly own: readonly LooseObject[]
}

/** Who the policy names is vouched for by whom it trusts, each once. */
export function vouched(outcome: Outcome, scene: Scene): readonly Vouched[] {
  const { policy, inline, asks } = scene
  const { identity } = objectOf(outcome.shown.claims, 'presentation')
  const list = identity ?? []
  must(Array.isArray(list) && list.length <= 5, 'identities')
  const all = list.map(open)
  const contents = all.map(({ content }) => content)
  must(new Set(contents).size === contents.length, 'the same one twice')
  if (inline) must(!contents.some(one => outcome.digests.includes(digestOf(one))), 'a link as identity')
  if (!isRead(scene, outcome.asked.action)) return []
  const found = all.map(({ claims: raw, signer, isSigned }): Vouched => {
    must(isSigned && policy.identityIssuers.has(signer.did), 'nobody who may vouch')
    const claims = objectOf(raw, 'identity')
    must(same(claims['type'], ['VerifiableCredential', 'AgentIdentityCredential']), 'type')
    must(same(claims['@context'], ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']), 'context')
    must(claims['iss'] === signer.did && claims['issuer'] === signer.did, 'issuer')
    must(/^urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(textOf(claims['id'])), 'id')
    for (const name of ['vc', 'vp', 'nbf', 'proof', 'termsOfUse']) must(!Object.hasOwn(claims, name), name)
    const { from, until } = times(claims)
    must(outcome.now >= from - 30 && outcome.now < until, 'identity out of time')
    const subject = objectOf(claims['credentialSubject'], 'credentialSubject')
    exactly(subject, ['id', 'agent'])
    agentFits(objectOf(subject['agent'], 'agent'))
    must(subject['id'] === claims['sub'], 'sub')
    const index = outcome.holders.findIndex(
      ({ did, publicKey: { x } }) =>
        did === claims['sub'] && same(claims['cnf'], { jwk: { crv: 'Ed25519', kty: 'OKP', x } }),
    )
    must(index >= 0, 'vouches for nobody here')
    must(claims['credentialStatus'] !== undefined || until - from <= 300, 'identity without status')
    const [, host] = /^did:web:([^:]*)/.exec(signer.did) ?? []
    return { claims, index, own: host === undefined ? [] : [{ iss: signer.did, base: `https://${host}/` }] }
  })
  const indexes = found.map(({ index }) => index)
  must(new Set(indexes).size === indexes.length, 'two for one')
  const last = outcome.holders.length - 1
  const due = isAsked(asks.every, scene, outcome.asked.action) ? [...outcome.holders.keys()] : [last]
  must(
    due.every(index => indexes.includes(index)),
    'nobody vouches for one',
  )
  return found
}

function agentFits(agent: LooseObject): void {
  exactly(agent, ['name', 'operator', 'autonomy', 'risk'], ['version', 'instance', 'software', 'model'])
  const { name, operator, autonomy, risk, version = 'x', instance = 'x', software, model } = agent
  must([name, version, instance].every(isText), 'agent')
  must(isText(operator) && DID.test(operator), 'operator')
  must(typeof autonomy === 'string' && /^L[0-5]$/.test(autonomy) && (risk === 'low' || risk === 'high'), 'agent')
  if (model !== undefined) {
    exactly(objectOf(model, 'model'), ['provider', 'name'])
    must(Object.values(model as LooseObject).every(isText), 'model')
  }
  if (software === undefined) return
  for (const one of setOf(software, 16, 'software')) {
    exactly(objectOf(one, 'software'), ['kind', 'digest'])
    const { kind, digest } = one as LooseObject
    must(isText(kind) && typeof digest === 'string' && DIGEST.test(digest), 'software')
  }
}
