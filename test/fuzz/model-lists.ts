import { BASE_KEY, BASE_WEB, VERSION } from './cast.js'
import type { Outcome } from './model.js'
import { exactly, headerFits, isInt, must, objectOf, same, times } from './must.js'
import { type Loose, type LooseObject, textOf } from './scene.js'

const ENTRY = ['type', 'statusPurpose', 'statusListIndex', 'statusListCredential']

export function statusOf(status: Loose): LooseObject[] {
  const entries = (Array.isArray(status) ? status : [status]).map(one => objectOf(one, 'status entry'))
  must(entries.length > 0 && entries.length <= 2, 'status entries')
  const purposes = entries.map(one => one['statusPurpose'])
  must(purposes.includes('revocation') && new Set(purposes).size === purposes.length, 'purposes')
  return entries
}

export function unset(outcome: Outcome, entry: LooseObject, issuers: readonly LooseObject[]): void {
  const { lists, now, age, bits } = outcome
  exactly(entry, ENTRY, ['id', 'statusSize'])
  must(entry['type'] === 'BitstringStatusListEntry' && (entry['statusSize'] ?? 1) === 1, 'entry')
  must(entry['statusSize'] !== null, 'entry')
  const { statusListIndex: index, statusListCredential: url, statusPurpose: purpose } = entry
  must(typeof index === 'string' && /^(0|[1-9]\d{0,9})$/.test(index), 'index')
  must(typeof url === 'string' && (purpose === 'revocation' || purpose === 'suspension'), 'entry')
  const list = lists.get(url)
  must(list !== undefined, 'no such list')
  const trusted = issuers.filter(({ base }) => url.startsWith(textOf(base)))
  must(
    trusted.some(({ iss }) => iss === list.signer.did),
    'list of a stranger',
  )
  must(
    [BASE_KEY, BASE_WEB].some(base => url.startsWith(base)),
    'no such host',
  )
  headerFits(list, 'vc+jwt', 'vc')
  const claims = objectOf(list.claims, 'list')
  must(claims['id'] === url && claims['iss'] === list.signer.did && claims['issuer'] === list.signer.did, 'list')
  const type = ['VerifiableCredential', 'BitstringStatusListCredential']
  must(same(claims['type'], type), 'type')
  must(same(claims['@context'], ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1']), 'context')
  for (const name of ['sub', 'nbf', 'vc', 'vp']) must(!Object.hasOwn(claims, name), name)
  const { from, until } = times(claims)
  must(now >= from - 30 && now < until && now - from <= 300 && age <= 300, 'list out of time')
  const subject = objectOf(claims['credentialSubject'], 'list subject')
  must(subject['type'] === 'BitstringStatusList' && subject['statusPurpose'] === purpose, 'list subject')
  must(isInt(subject['version']) && subject['version'] >= VERSION, 'version')
  const map = bits(subject['encodedList'] ?? null)
  must(map !== null && map.length >= 16_384 && map.length <= 131_072 && Number(index) < map.length * 8, 'bits')
  must(((map[Number(index) >> 3]! >> (7 - (Number(index) & 7))) & 1) === 0, 'taken back')
}
