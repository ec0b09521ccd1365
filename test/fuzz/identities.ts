import { CONTEXTS } from '../../src/credential/credential.js'
import { digestOf } from '../../src/encoding.js'
import { envelope } from '../../src/presentation/envelope.js'
import { toDate } from '../../src/time.js'
import { AGENTS, BASE_WEB, EVERYBODY, NOW, OWNER, REGISTRIES, STATUS_WEB, headerOf, statusEntries } from './cast.js'
import type { Random } from './random.js'
import { type Actor, type Draft, type Loose, type LooseObject, type Scene, isAsked, seal } from './scene.js'

interface Identified {
  readonly drafts: readonly Draft[]
  readonly tokens: readonly string[]
  readonly policy: { readonly identity: string; readonly identityIssuers: string[] }
  /** status lists that they name, by URL */
  readonly lists: readonly string[]
}

/** Whether anybody looks at the identity credentials. */
export const isRead = (scene: Pick<Scene, 'asks' | 'asked'>, action = scene.asked.action): boolean =>
  isAsked(scene.asks.leaf, scene, action) || isAsked(scene.asks.every, scene, action)

export const enveloped = (tokens: readonly string[]): Loose[] => tokens.map(token => envelope(token) as Loose)

/**
 * Who vouches for whom: good credentials of whoever the policy names, and now and then of others in the chain; where it
 * names nobody, now and then credentials of anybody about anybody.
 *
 * @param bases - of the lists in force
 */
export function identify(random: Random, holders: readonly Actor[], bases: readonly string[]): Identified {
  const identity = random.pick(['none', 'none', 'none', 'leaf', 'every'])
  const issuers = random.some(REGISTRIES, random.pick(REGISTRIES))
  const policy = { identity, identityIssuers: issuers.map(({ did }) => did) }
  if (identity === 'none') {
    const drafts = random.chance(0.3)
      ? random.some(AGENTS.slice(0, 4), AGENTS[0]!).map((of, index) => {
          const until = NOW + random.pick([-100, 200, 4000])
          return draftOf(random, random.pick(EVERYBODY), of, NOW - 300, until, index, [])
        })
      : []
    return { drafts, tokens: drafts.map(seal), policy, lists: [] }
  }
  const described = identity === 'every' ? holders : random.some(holders, holders.at(-1)!)
  const drafts = described.map((of, index) => {
    const issuer = random.pick(issuers)
    // a proof by reference has room for many only if they say no more than they have to, and for five without status
    const isTerse = described.length > 3
    const isBrief = described.length > 4
    const from = NOW - random.int(0, isBrief ? 200 : 500)
    const until = NOW + random.pick([random.int(1, isBrief ? 100 : 300), isBrief ? 100 : random.int(301, 90_000)])
    const isListed = until - from > 300 || (!isBrief && random.chance(0.5))
    const own = issuer === STATUS_WEB ? [BASE_WEB] : []
    const entries = isListed ? statusEntries(random.pick([...bases, ...own]), random) : []
    const asked = isTerse ? entries.filter(one => one['statusPurpose'] === 'revocation') : entries
    return draftOf(random, issuer, of, from, until, index, asked, isTerse)
  })
  if (random.chance(0.4)) drafts.reverse()
  const entries = drafts.flatMap(({ claims }) => ((claims as LooseObject)['credentialStatus'] ?? []) as LooseObject[])
  const lists = entries.map(one => one['statusListCredential'] as string)
  return { drafts, tokens: drafts.map(seal), policy, lists }
}

function draftOf(
  random: Random,
  signer: Actor,
  { did, publicKey }: Actor,
  from: number,
  until: number,
  index: number,
  entries: readonly LooseObject[],
  isTerse = false,
): Draft {
  const agent: LooseObject = {
    name: random.pick(['trip-planner', 'é😀']),
    operator: OWNER.did,
    autonomy: `L${random.int(0, 5)}`,
    risk: random.pick(['low', 'high']),
  }
  const more: LooseObject = {
    ...(random.chance(0.3) ? { version: '3.4.1' } : {}),
    ...(random.chance(0.2) ? { instance: 'spiffe://acme.example/ns/agents' } : {}),
    ...(random.chance(0.2) ? { software: [{ kind: 'oci-image', digest: digestOf('image') }] } : {}),
    ...(random.chance(0.2) ? { model: { provider: 'somebody', name: 'some model' } } : {}),
  }
  const claims: LooseObject = {
    '@context': [...CONTEXTS],
    id: `urn:uuid:0192f5c2-1111-7000-8000-${String(random.int(0, 99_999) * 10 + index).padStart(12, '0')}`,
    type: ['VerifiableCredential', 'AgentIdentityCredential'],
    issuer: signer.did,
    iss: signer.did,
    sub: did,
    iat: from - random.int(0, 9),
    exp: until,
    validFrom: toDate(from),
    validUntil: toDate(until),
    cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: publicKey.x } },
    credentialSubject: { id: did, agent: isTerse ? agent : { ...agent, ...more } },
    ...(entries.length > 0 ? { credentialStatus: [...entries] } : {}),
    ...(random.chance(0.2) ? { evidence: [{ type: 'WorkloadAttestation' }] } : {}),
  }
  return { header: headerOf('vc+jwt', signer), claims, signer }
}
