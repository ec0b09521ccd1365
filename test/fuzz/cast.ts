import { CONTEXTS } from '../../src/credential/credential.js'
import { digestOf, s256, type Digest } from '../../src/encoding.js'
import { MIN_BITS, bitsOf, encodeList } from '../../src/status/bitstring.js'
import { toDate } from '../../src/time.js'
import type { Random } from './random.js'
import { type Actor, type Draft, type LooseObject, actor, signingInput } from './scene.js'

/** The verifier's clock. */
export const NOW = 1_795_255_500
export const SELF = 'https://api.travel.example'
export const VERSION = 42
/** A bit that is set in every list. */
export const TAKEN_BACK = 77
/** What the host of every list answered, this many seconds ago. */
export const AGE = 3

export const OWNER = actor('owner', 'did:web:travel.example')
export const PERSON = actor('person')
export const STATUS_WEB = actor('status', 'did:web:status.acme.example')
export const STATUS_KEY = actor('status two')
export const ALICE = actor('alice')
export const BOB = actor('bob', 'did:web:people.example:bob')
/** Whose identity credentials may count: one serves lists of its own, one is a root that the policy may state keys of. */
export const REGISTRIES: readonly Actor[] = [
  actor('registry', 'did:web:registry.example'),
  actor('registry two'),
  STATUS_WEB,
  OWNER,
]
export const MALLORY = actor('mallory')
export const MALLORY_WEB = actor('mallory web', 'did:web:mallory.example')
export const AGENTS: readonly Actor[] = [
  ...Array.from({ length: 7 }, (_, index) => actor(`agent ${index}`)),
  ...Array.from({ length: 5 }, (_, index) => actor(`web agent ${index}`, `did:web:acme.example:agents:a${index}`)),
]
export const EVERYBODY: readonly Actor[] = [
  ...[OWNER, PERSON, STATUS_WEB, STATUS_KEY, ALICE, BOB, MALLORY, MALLORY_WEB],
  ...REGISTRIES.slice(0, 2),
  ...AGENTS,
]

export const BASE_WEB = 'https://status.acme.example/sl/'
export const BASE_KEY = 'https://status.beta.example/lists/v1/'
export const EMPTY = encodeList(bitsOf(MIN_BITS, [TAKEN_BACK]))

/** Every list there is: two publishers, two purposes. */
export const LISTS: ReadonlyMap<string, Draft> = new Map(
  [
    listDraft(`${BASE_WEB}1`, STATUS_WEB, 'revocation'),
    listDraft(`${BASE_WEB}s-1`, STATUS_WEB, 'suspension'),
    listDraft(`${BASE_KEY}r.1`, STATUS_KEY, 'revocation'),
    listDraft(`${BASE_KEY}s_1`, STATUS_KEY, 'suspension'),
  ].map(draft => [(draft.claims as LooseObject)['id'] as string, draft]),
)

function listDraft(url: string, signer: Actor, statusPurpose: string): Draft {
  const times = { iat: NOW - 10, exp: NOW + 590, validFrom: toDate(NOW - 10), validUntil: toDate(NOW + 590) }
  const subject = { id: `${url}#list`, type: 'BitstringStatusList', statusPurpose, encodedList: EMPTY, ttl: 5000 }
  const claims = {
    '@context': [...CONTEXTS],
    id: url,
    type: ['VerifiableCredential', 'BitstringStatusListCredential'],
    issuer: signer.did,
    iss: signer.did,
    ...times,
    credentialSubject: { ...subject, version: VERSION },
  }
  return { header: headerOf('vc+jwt', signer), claims, signer }
}

export function headerOf(typ: string, { kid }: Actor): LooseObject {
  const cty = typ === 'vc+jwt' ? { cty: 'vc' } : typ === 'vp+jwt' ? { cty: 'vp' } : {}
  return { alg: 'EdDSA', kid, typ, ...cty }
}

export function digestOfToken(token: string): Digest {
  return digestOf(signingInput(token))
}

/** An entry of a list, at an index that nothing else has. */
export function statusEntry(url: string, statusPurpose: string, random: Random): LooseObject {
  const index = random.int(1000, 131_000)
  return {
    id: `${url}#${index}`,
    type: 'BitstringStatusListEntry',
    statusPurpose,
    statusListIndex: String(index),
    statusListCredential: url,
    ...(random.chance(0.1) ? { statusSize: 1 } : {}),
  }
}

/** The entries of a credential in the lists below a base. */
export function statusEntries(base: string, random: Random): LooseObject[] {
  const web = base === BASE_WEB
  const entries = [statusEntry(`${base}${web ? '1' : 'r.1'}`, 'revocation', random)]
  if (random.chance(0.3)) entries.push(statusEntry(`${base}${web ? 's-1' : 's_1'}`, 'suspension', random))
  if (random.chance(0.3)) entries.reverse()
  return entries
}

/** What an approver signs for one call. */
export function approvalDraft(signer: Actor, leaf: string, request: LooseObject, seeds: readonly number[]): Draft {
  const claims: LooseObject = {
    iss: signer.did,
    aud: SELF,
    iat: NOW - 20,
    exp: NOW + 200,
    jti: s256(`approval ${seeds.join(' ')}`).slice(0, 22),
    leaf,
    action: request['action']!,
    resource: request['resource']!,
    paramsDigest: request['paramsDigest']!,
    decision: 'approve',
    approver: { id: signer.did, method: 'terminal' },
  }
  return { header: headerOf('agent-approval+jwt', signer), claims, signer }
}
