import type { DataSource } from 'typeorm'
import { isObject, member, parseJson } from '../../json.js'
import type { StatusRows } from '../../ports/issuing.js'
import { bitAt, decodeList } from '../../status/bitstring.js'
import type { CredentialRow } from './entities.js'
import type { Flaw } from './flaw.js'
import { type ListRow, ListTable } from './status-entities.js'

const REPUBLISH = 'publish it anew: procura status publish; if it stays, restore the newest backup and reconcile'
const REVOKE = 'revoke those credentials: what one of them is told counts for the other'

/** Holds what was published of each list against the rows it was made of, and each bit against the leases. */
export async function checkLists(dataSource: DataSource, statusRows: StatusRows): Promise<readonly Flaw[]> {
  const wrong: Flaw[] = []
  for (const list of await dataSource.getRepository(ListTable).find({ order: { name: 'ASC' } })) {
    const indexes = await statusRows.setIn(list.name)
    const owners = await statusRows.ownersOf(list.name, indexes)
    for (const [n, index] of indexes.entries()) {
      if (owners[n] !== null) continue
      const what = `bit ${index} of list ${list.name} is nobody's`
      wrong.push({
        what,
        advice: 'somebody wrote to the table: find out who; an index without credential does no harm',
      })
    }
    wrong.push(...publishedOf(list, new Set(indexes)))
  }
  return wrong
}

/** Rows of a list of revocations are only added: what was published stays set. */
function publishedOf(
  { name, token, version, purpose, changes, signedChanges }: ListRow,
  set: ReadonlySet<number>,
): Flaw[] {
  if (token === null) return []
  const told = readList(token, name)
  if (told === null) return [{ what: `list ${name}: what was published cannot be read`, advice: REPUBLISH }]
  const flaws: Flaw[] = []
  if (told.version !== version) {
    flaws.push({
      what: `list ${name} was published as version ${String(told.version)}, its row says ${version}`,
      advice: REPUBLISH,
    })
  }
  const isCurrent = changes === signedChanges
  const missing = isCurrent ? [...set].filter(index => !bitAt(told.bits, index)) : []
  for (const index of missing) {
    flaws.push({ what: `list ${name} does not show that ${index} is set`, advice: REPUBLISH })
  }
  if (purpose !== 'revocation' && !isCurrent) return flaws
  for (let index = 0; index < told.bits.length * 8; index += 1) {
    if (!bitAt(told.bits, index) || set.has(index)) continue
    const advice = 'a revocation was lost: restore the newest backup, then procura fsck --reconcile'
    flaws.push({ what: `list ${name} shows ${index}, which no row sets`, advice })
  }
  return flaws
}

function readList(token: string, name: string): { readonly version: unknown; readonly bits: Uint8Array } | null {
  try {
    const { value } = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url'), name)
    const subject = isObject(value) ? member(value, 'credentialSubject') : undefined
    const encoded = isObject(subject) ? member(subject, 'encodedList') : undefined
    if (!isObject(subject) || typeof encoded !== 'string') return null
    return { version: member(subject, 'version'), bits: decodeList(encoded, name) }
  } catch {
    return null
  }
}

interface Place {
  readonly digest: string
  readonly issuer: string
  readonly index: number
}

/** Places looked up at once. */
const AT_ONCE = 1000

/** Holds the places of credentials in lists of this database against each other, and against the leases. */
export async function checkPlaces(
  credentials: AsyncIterable<CredentialRow>,
  statusRows: StatusRows,
): Promise<readonly Flaw[]> {
  const wrong: Flaw[] = []
  /** what was seen of each list; `null` for the lists of others */
  const lists = new Map<string, { readonly taken: Map<number, string>; readonly waiting: Place[] } | null>()

  async function ask(list: string, places: readonly Place[]): Promise<void> {
    const owners = await statusRows.ownersOf(
      list,
      places.map(({ index }) => index),
    )
    for (const [n, { digest, issuer, index }] of places.entries()) {
      if (owners[n] === issuer) continue
      const what = `credential ${digest} has index ${index} of list ${list}, which its issuer did not lease`
      wrong.push({ what, advice: 'revoke what stands above it: it cannot be revoked itself' })
    }
  }

  async function take(list: string, place: Place): Promise<void> {
    let known = lists.get(list)
    if (known === undefined) {
      known = (await statusRows.find(list)) === null ? null : { taken: new Map<number, string>(), waiting: [] }
      lists.set(list, known)
    }
    if (known === null) return
    const { digest, index } = place
    const other = known.taken.get(index)
    if (other === undefined) known.taken.set(index, digest)
    else wrong.push({ what: `credentials ${other} and ${digest} share index ${index} of list ${list}`, advice: REVOKE })
    if (known.waiting.push(place) >= AT_ONCE) await ask(list, known.waiting.splice(0))
  }

  for await (const { digest, issuer, statusUrl, statusIndex, suspensionUrl, suspensionIndex } of credentials) {
    for (const [url, index] of [[statusUrl, statusIndex] as const, [suspensionUrl, suspensionIndex] as const]) {
      if (url !== null && index !== null) await take(url.slice(url.lastIndexOf('/') + 1), { digest, issuer, index })
    }
  }
  for (const [list, known] of lists) if (known !== null) await ask(list, known.waiting)
  return wrong
}
