import { MoreThan, type DataSource, type EntitySchema, type ObjectLiteral } from 'typeorm'
import { digestOf } from '../../encoding.js'
import type { StatusRows } from '../../ports/issuing.js'
import { CredentialTable } from './entities.js'
import { AnswerTable } from './answer-entities.js'
import { checkLists, checkPlaces } from './check-lists.js'
import type { Flaw } from './flaw.js'
import { HoldTable } from './state-entities.js'
import type { StatusRepair } from './status-repair.js'

/** Rows read at once. */
const PAGE = 1000

/** What must find nothing: how it is told, what is done about it, and the names of the rows it is told of. */
const SEARCHES: readonly (readonly [(name: string) => string, string, string])[] = [
  [
    name => `key ${name} has no private key`,
    'restore the database from a backup; else replace the key, and revoke what it holds',
    `SELECT k.kid AS name FROM "key" k LEFT JOIN sealed_key s ON s.kid = k.kid
     LEFT JOIN "private-key" p ON p.alias = k.kid WHERE k.kms = 'local' AND s.kid IS NULL AND p.alias IS NULL`,
  ],
  [
    name => `private key ${name} belongs to no key`,
    'nothing uses it; delete its row when you know where it came from',
    `SELECT s.kid AS name FROM sealed_key s LEFT JOIN "key" k ON k.kid = s.kid WHERE k.kid IS NULL
     UNION ALL SELECT p.alias FROM "private-key" p LEFT JOIN "key" k ON k.kid = p.alias WHERE k.kid IS NULL`,
  ],
  [
    name => `key ${name} belongs to no DID`,
    'nothing uses it; delete its row when you know where it came from',
    `SELECT kid AS name FROM "key" WHERE "identifierDid" IS NULL`,
  ],
  [
    name => `${name} has no key`,
    'restore the database from a backup, or retire that DID',
    `SELECT i.did AS name FROM identifier i
     WHERE NOT EXISTS (SELECT 1 FROM "key" k WHERE k."identifierDid" = i.did)`,
  ],
  [
    name => `${name} is controlled by a key that it does not have`,
    'restore the database from a backup, or retire that DID',
    `SELECT i.did AS name FROM identifier i LEFT JOIN "key" k ON k.kid = i."controllerKeyId"
     WHERE i."controllerKeyId" IS NOT NULL AND (k."identifierDid" IS NULL OR k."identifierDid" <> i.did)`,
  ],
  [
    name => `signing key ${name} is listed and missing`,
    'procura keys rotate --issuer --emergency',
    `SELECT s.kid AS name FROM signing_key s LEFT JOIN "key" k ON k.kid = s.kid
     WHERE k.kid IS NULL AND s.dropped_at IS NULL`,
  ],
  [
    name => `credential ${name}: the one above is missing`,
    'its chain cannot be shown nor revoked from above: revoke it, and grant anew',
    `SELECT c.digest AS name FROM stored_credential c LEFT JOIN stored_credential p ON p.digest = c.parent
     WHERE c.parent IS NOT NULL AND p.digest IS NULL`,
  ],
  [
    name => `credential ${name} is held and missing`,
    'receive it again',
    `SELECT h.digest AS name FROM holding h LEFT JOIN stored_credential c ON c.digest = h.digest
     WHERE c.digest IS NULL`,
  ],
  [
    name => `subject ${name}: its DID is not among the names that were taken`,
    'restore the database from a backup: another one could register that name',
    `SELECT s.id AS name FROM subject s LEFT JOIN subject_name n ON n.name = s.did AND n.subject = s.id
     WHERE n.name IS NULL`,
  ],
  [
    name => `subject ${name}: its owner is not registered`,
    'retire it: procura agent retire',
    `SELECT s.id AS name FROM subject s LEFT JOIN subject o ON o.id = s.owner
     WHERE s.owner IS NOT NULL AND o.id IS NULL`,
  ],
  [
    name => `subject ${name} is at work though its owner was retired`,
    'retire it: procura agent retire',
    `SELECT s.id AS name FROM subject s JOIN subject o ON o.id = s.owner
     WHERE o.state = 'retired' AND s.state <> 'retired'`,
  ],
  [
    name => `the feed lacks announcements: ${name}`,
    'readers that followed it may have missed revocations: have them read all lists anew',
    `SELECT 'it counts ' || (s.last - s.first + 1) || ' and has ' || (SELECT COUNT(*) FROM outbox) AS name
     FROM outbox_span s WHERE s.last - s.first + 1 <> (SELECT COUNT(*) FROM outbox)`,
  ],
]

const DAMAGED = 'keep a copy, restore the newest backup, then procura fsck --reconcile'

/**
 * What does not hold of a database, and what to do about it; empty if all is well. It only reads, and each search sees
 * one instant, so a service may be at work meanwhile.
 *
 * @param onDone - told of checks done, and of how many
 * @throws STORAGE_UNAVAILABLE
 */
export async function checkDatabase(
  dataSource: DataSource,
  statusRows: StatusRows,
  statusRepair: StatusRepair,
  onDone: (done: number, total: number) => void = () => undefined,
): Promise<readonly Flaw[]> {
  const searches = SEARCHES.map(([tell, advice, sql]) => async (): Promise<readonly Flaw[]> => {
    const rows = await dataSource.query<readonly { readonly name: string }[]>(sql)
    return rows.map(({ name }) => ({ what: tell(name), advice }))
  })
  const checks = [
    () => (dataSource.options.type === 'sqlite' ? checkFile(dataSource) : Promise.resolve([])),
    ...searches,
    () => checkRows(dataSource),
    () => statusRepair.check(),
    () => checkLists(dataSource, statusRows),
    () => checkPlaces(rowsOf(dataSource, CredentialTable, 'digest'), statusRows),
  ]
  const wrong: Flaw[] = []
  for (const [n, check] of checks.entries()) {
    wrong.push(...(await check()))
    onDone(n + 1, checks.length)
  }
  return wrong
}

async function checkRows(dataSource: DataSource): Promise<readonly Flaw[]> {
  const wrong: Flaw[] = []
  for await (const { digest, token } of rowsOf(dataSource, CredentialTable, 'digest')) {
    if (digestOf(token.slice(0, token.lastIndexOf('.'))) === digest) continue
    wrong.push({ what: `credential ${digest} is another token`, advice: DAMAGED })
  }
  for await (const { id, facts, charges } of rowsOf(dataSource, HoldTable, 'id')) {
    if (isJson(facts) && isCharges(charges)) continue
    wrong.push({ what: `reservation ${id} cannot be read`, advice: 'delete its row: it counts as released' })
  }
  for await (const { name, answer } of rowsOf(dataSource, AnswerTable, 'name')) {
    if (answer === null || isJson(answer)) continue
    wrong.push({ what: `the answer to ${name} cannot be read`, advice: 'look in the audit log whether it was done' })
  }
  return wrong
}

/** PostgreSQL looks after its own pages and foreign keys; a file may have been changed by anybody. */
async function checkFile(dataSource: DataSource): Promise<readonly Flaw[]> {
  const pages = await dataSource.query<{ integrity_check: string }[]>('PRAGMA integrity_check')
  const keys = await dataSource.query<{ table: string; rowid: number; parent: string }[]>('PRAGMA foreign_key_check')
  return [
    ...pages.map(row => row.integrity_check).filter(told => told !== 'ok'),
    ...keys.map(({ table, rowid, parent }) => `row ${rowid} of ${table} points to nothing in ${parent}`),
  ].map(what => ({ what, advice: DAMAGED }))
}

/** All rows of a table, page by page. */
async function* rowsOf<R extends ObjectLiteral, K extends keyof R & string>(
  dataSource: DataSource,
  table: EntitySchema<R>,
  key: K,
): AsyncGenerator<R> {
  for (let after = ''; ;) {
    const rows = await dataSource.getRepository(table).find({
      where: { [key]: MoreThan(after) } as never,
      order: { [key]: 'ASC' } as never,
      take: PAGE,
    })
    yield* rows
    const last = rows.at(-1)
    if (last === undefined || rows.length < PAGE) return
    after = String(last[key])
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function isCharges(text: string): boolean {
  if (!isJson(text)) return false
  const charges = JSON.parse(text) as unknown
  return (
    Array.isArray(charges) && charges.every(one => typeof (one as { account?: unknown } | null)?.account === 'string')
  )
}
