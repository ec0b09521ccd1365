import { CONTEXTS } from '../../src/credential/credential.js'
import { s256 } from '../../src/encoding.js'
import { canonicalize } from '../../src/json.js'
import { parsePolicy } from '../../src/policy/policy.js'
import { toDate } from '../../src/time.js'
import {
  AGENTS,
  ALICE,
  BASE_KEY,
  BASE_WEB,
  BOB,
  LISTS,
  NOW,
  OWNER,
  PERSON,
  SELF,
  STATUS_KEY,
  STATUS_WEB,
  approvalDraft,
  digestOfToken,
  headerOf,
  statusEntries,
} from './cast.js'
import {
  ACTIONS,
  VALUES,
  budgetsBelow,
  budgetsFor,
  childGrants,
  needsApproval,
  rootGrants,
  sameMeter,
} from './grants.js'
import { enveloped, identify } from './identities.js'
import { Random } from './random.js'
import {
  type Actor,
  type Asks,
  type Draft,
  type From,
  type Loose,
  type LooseObject,
  type Scene,
  at,
  isAsked,
  seal,
} from './scene.js'

/** A good scene: chain, presentation, lists and request that the verifier allows. */
export function control(...seeds: readonly number[]): Scene {
  const random = new Random(...seeds)
  const length = random.pick([1, 1, 2, 2, 3, 3, 4, 5])
  const rootIssuer = random.pick([OWNER, OWNER, PERSON])
  const holders: Actor[] = []
  while (holders.length < length) {
    const next = random.pick(AGENTS)
    if (!holders.includes(next)) holders.push(next)
  }
  const action = random.pick(ACTIONS)
  const params: LooseObject = Object.fromEntries(
    random.some(Object.keys(VALUES)).map(name => [name, VALUES[name]!(random)]),
  )
  const statuses = random.some([
    { iss: STATUS_WEB.did, base: BASE_WEB },
    { iss: STATUS_KEY.did, base: BASE_KEY },
  ])
  if (statuses.length === 0) statuses.push({ iss: STATUS_WEB.did, base: BASE_WEB })
  const binding = random.chance(0.8) ? 'cnf+did' : 'cnf'
  const mission = s256(`mission ${random.int(0, 3)}`)
  const hasTo = binding === 'cnf+did'
  const counter = random.int(0, 999_999)

  const links: Draft[] = []
  const tokens: string[] = []
  const used = new Set<string>()
  let purpose: string | null = null
  let inForce: LooseObject[] = []
  let rate: LooseObject | null = null
  let [iat, from, until] = [NOW - random.int(200, 2000), NOW - random.int(0, 99), NOW + random.int(301, 40_000)]
  if (random.chance(0.2)) from = NOW + random.int(1, 30)
  for (const [index, holder] of holders.entries()) {
    const above = links[index - 1]?.claims as LooseObject | undefined
    const signer = holders[index - 1] ?? rootIssuer
    const parent =
      above === undefined ? undefined : ((above['credentialSubject'] as LooseObject)['authority'] as LooseObject)
    const grants =
      parent === undefined
        ? rootGrants(random, action, params)
        : childGrants(random, parent['grants'] as LooseObject[], action, params)
    const audience =
      parent === undefined
        ? random.some([SELF, 'https://other.example'], SELF)
        : random.some(parent['audience'] as Loose[], SELF)
    const authority: LooseObject = {
      v: 1,
      hop: index,
      more:
        parent === undefined
          ? random.int(length - 1, 16)
          : random.int(length - 1 - index, (parent['more'] as number) - 1),
      audience,
      grants,
    }
    if (parent === undefined) {
      if (random.chance(0.5))
        authority['onBehalfOf'] = random.pick(['did:web:acme.example', 'urn:x:1', 'https://a.example/p'])
      authority['statusIssuers'] = statuses
    } else {
      authority['parent'] = { id: above!['id']!, digest: digestOfToken(tokens.at(-1)!) }
      const root = (links[0]!.claims as LooseObject)['credentialSubject'] as LooseObject
      const principal = (root['authority'] as LooseObject)['onBehalfOf']
      if (principal !== undefined && random.chance(0.3)) authority['onBehalfOf'] = principal
    }
    if (random.chance(0.3)) {
      purpose = mission
      authority['purpose'] = { s256: mission, ...(random.chance(0.5) ? { ref: 'https://missions.example/1' } : {}) }
    }
    if (audience.length === 1) {
      const own =
        inForce.length > 0
          ? budgetsBelow(random, inForce, params['amount'])
          : budgetsFor(random, grants, action, params)
      const sound = own.filter(({ on, meter, unitArg }) =>
        grants
          .filter(({ actions }) => on === undefined || (actions as Loose[]).some(one => (on as Loose[]).includes(one)))
          .every(
            ({ args }) =>
              [meter, unitArg].every(
                name => name === undefined || name === '#calls' || at(args ?? null, name as string, 'req') === true,
              ) &&
              (unitArg === undefined || at(args ?? null, unitArg as string, 'op') === 'eq'),
          ),
      )
      if (sound.length > 0) {
        authority['budgets'] = sound
        inForce = [...sound, ...inForce.filter(one => !sound.some(two => sameMeter(one, two)))]
      }
    }
    if (random.chance(0.25)) {
      rate = {
        max: random.int(1, (rate?.['max'] as number | undefined) ?? 9),
        per: random.int((rate?.['per'] as number | undefined) ?? 1, 3600),
      }
      authority['rate'] = rate
    }
    if (hasTo && random.chance(0.25)) {
      const later = holders.slice(index + 1).map(one => one.did)
      authority['to'] = [...new Set([...later, ALICE.did, ...(random.chance(0.5) ? ['did:web:acme.example:**'] : [])])]
    }
    if (index > 0) {
      const window = [from, until] as const
      iat += random.int(0, 5)
      from = Math.min(NOW + 30, from + random.int(0, 5))
      until -= random.int(0, 60)
      if (random.chance(0.2) && until - from > 300) until = from + random.int(NOW - from + 40, 300)
      until = Math.max(until, NOW + 1)
      if (until <= from) [from, until] = window
    }
    const claims: LooseObject = {
      '@context': [...CONTEXTS],
      id: `urn:uuid:0192f5c2-${String(index).padStart(4, '0')}-7000-8000-${String(counter).padStart(12, '0')}`,
      type: ['VerifiableCredential', index === 0 ? 'AgentCapabilityCredential' : 'AgentDelegationCredential'],
      issuer: signer.did,
      iss: signer.did,
      sub: holder.did,
      iat,
      exp: until,
      validFrom: toDate(from),
      validUntil: toDate(until),
      cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: holder.publicKey.x } },
      credentialSubject: { id: holder.did, authority },
    }
    if (random.chance(0.1)) claims['name'] = 'a label'
    if (until - from > 300 || random.chance(0.5)) {
      const { base } = random.pick(statuses)
      const entries = statusEntries(base, random)
      for (const one of entries) used.add(one['statusListCredential'] as string)
      claims['credentialStatus'] = entries.length === 1 && random.chance(0.7) ? entries[0]! : entries
    }
    const draft = { header: headerOf('vc+jwt', signer), claims, signer }
    links.push(draft)
    tokens.push(seal(draft))
  }

  const holder = holders.at(-1)!
  const url = `${SELF}/bookings/SYD-2231${random.chance(0.3) ? '?x=1&y=%2F' : ''}`
  const asked = {
    method: random.pick(['POST', 'PUT', 'GET']),
    url,
    bodyDigest: random.chance(0.8) ? s256(canonicalize(params)) : null,
    action,
    resource: `${SELF}/bookings/SYD-2231`,
    params,
  }
  const nonce = random.chance(0.25) ? 'N'.repeat(22) : null
  const inline = random.chance(0.65)
  const provenanceDue = random.pick<Loose>(['none', 'none', 'none', 'required', [ALICE.did, 'https://a.example/m']])
  const request: LooseObject = {
    htm: asked.method,
    htu: url,
    ...(asked.bodyDigest === null ? {} : { bodyDigest: asked.bodyDigest }),
    action,
    resource: asked.resource,
    paramsDigest: s256(canonicalize(params)),
    ...(purpose === null ? {} : { purpose }),
    ...(provenanceDue !== 'none' || random.chance(0.2) ? { provenance: [{ source: ALICE.did, s256: mission }] } : {}),
  }
  const typ = inline ? 'vp+jwt' : 'agent-proof+jwt'
  const iatShown = NOW - random.int(0, 40)
  const shown: LooseObject = {
    '@context': [...CONTEXTS],
    holder: holder.did,
    iss: holder.did,
    aud: SELF,
    iat: iatShown,
    exp: iatShown + random.int(42, 120),
    jti: s256(`jti ${seeds.join(' ')}`).slice(0, random.int(22, 43)),
    request,
    ...(inline ? { type: ['VerifiablePresentation', 'AgentRequestPresentation'] } : {}),
    ...(nonce === null ? {} : { nonce }),
  }

  const inForceAt = statuses.map(({ base }) => base)
  const identified = identify(new Random(...seeds, 1), holders, inForceAt)
  const { identity, identityIssuers } = identified.policy
  if (identity !== 'none') for (const url of identified.lists) used.add(url)
  if (identified.tokens.length > 0) shown['identity'] = enveloped(identified.tokens)

  const risks = new Random(...seeds, 2)
  const isGraver = random.chance(0.3)
  const since = (isDue: boolean): From =>
    isDue ? (isGraver ? risks.pick([0, 1]) : 0) : isGraver ? null : risks.pick([null, 1])
  const asks: Asks = {
    risk: isGraver ? 1 : 0,
    challenge: since(nonce !== null),
    leaf: since(identity === 'leaf'),
    every: since(identity === 'every'),
    approval: since(risks.chance(0.15)),
    commit: since(risks.chance(0.2)),
  }
  const policy = parsePolicy({
    self: SELF,
    identityIssuers,
    subjectKeyBinding: binding,
    provenance: provenanceDue,
    risk: isGraver ? { [action]: 'medium' } : {},
    ...written(asks),
    roots: [OWNER, PERSON].map(root => ({
      issuer: root.did,
      maxTtl: 50_000,
      grants: [{ resource: `${SELF}/**`, actions: [...ACTIONS] }],
      approvers: [ALICE.did, BOB.did],
      ...(random.chance(0.2) ? { rate: { max: 3, per: 60 } } : {}),
      ...(random.chance(0.25)
        ? { jwks: { keys: [{ kid: root.kid, kty: 'OKP', crv: 'Ed25519', x: root.publicKey.x }] } }
        : {}),
    })),
  })
  const approver = random.pick([ALICE, BOB])
  const isApprovalDue = isAsked(asks.approval, { asks, asked }, action)
  const approval =
    isApprovalDue || links.some(({ claims }) => needsApproval(claims as LooseObject, action))
      ? approvalDraft(approver, digestOfToken(tokens.at(-1)!), request, seeds)
      : null
  return {
    links,
    tokens,
    holders,
    identities: identified.drafts,
    identityTokens: identified.tokens,
    inline,
    shown: { header: headerOf(typ, holder), claims: shown, signer: holder },
    approval,
    asked,
    lists: new Map([...LISTS].filter(([list]) => used.has(list))),
    policy,
    asks,
    nonce,
  }
}

/** As a policy says it. */
function written({ challenge, leaf, every, approval, commit }: Asks): LooseObject {
  const RISKS = ['low', 'medium']
  const either = (from: From): LooseObject => (from === null ? {} : { from: RISKS[from]! })
  const members = { challenge: either(challenge), approval: either(approval), commit: either(commit) }
  const whose = {
    ...(leaf === null ? {} : { leaf: RISKS[leaf]! }),
    ...(every === null ? {} : { every: RISKS[every]! }),
  }
  const stated = Object.entries({ ...members, identity: whose }).filter(([, one]) => Object.keys(one).length > 0)
  return Object.fromEntries(stated)
}
