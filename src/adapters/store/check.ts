import { MoreThan, type DataSource, type EntitySchema, type ObjectLiteral } from 'typeorm'
import { digestOf } from '../../encoding.js'
import type { StatusRows } from '../../ports/issuing.js'
import { CredentialTable } from './entities.js'
import { HoldTable } from './state-entities.js'
import { BitTable } from './status-entities.js'
import type { StatusRepair } from './status-repair.js'

/** Rows read at once. */
const PAGE = 1000

/** What must find nothing: how it is told, and the names of the rows it is told of. */
const SEARCHES: readonly (readonly [(name: string) => string, string])[] = [
  [
    name => `key ${name} has no private key`,
    `SELECT k.kid AS name FROM "key" k LEFT JOIN sealed_key s ON s.kid = k.kid
     LEFT JOIN "private-key" p ON p.alias = k.kid WHERE k.kms = 'local' AND s.kid IS NULL AND p.alias IS NULL`,
  ],
  [
    name => `private key ${name} belongs to no key`,
    `SELECT s.kid AS name FROM sealed_key s LEFT JOIN "key" k ON k.kid = s.kid WHERE k.kid IS NULL
     UNION ALL SELECT p.alias FROM "private-key" p LEFT JOIN "key" k ON k.kid = p.alias WHERE k.kid IS NULL`,
  ],
  [name => `key ${name} belongs to no DID`, `SELECT kid AS name FROM "key" WHERE "identifierDid" IS NULL`],
  [
    name => `${name} has no key`,
    `SELECT i.did AS name FROM identifier i
     WHERE NOT EXISTS (SELECT 1 FROM "key" k WHERE k."identifierDid" = i.did)`,
  ],
  [
    name => `${name} is controlled by a key that it does not have`,
    `SELECT i.did AS name FROM identifier i LEFT JOIN "key" k ON k.kid = i."controllerKeyId"
     WHERE i."controllerKeyId" IS NOT NULL AND (k."identifierDid" IS NULL OR k."identifierDid" <> i.did)`,
  ],
  [
    name => `credential ${name}: the one above is missing`,
    `SELECT c.digest AS name FROM stored_credential c LEFT JOIN stored_credential p ON p.digest = c.parent
     WHERE c.parent IS NOT NULL AND p.digest IS NULL`,
  ],
  [
    name => `credential ${name} is held and missing`,
    `SELECT h.digest AS name FROM holding h LEFT JOIN stored_credential c ON c.digest = h.digest
     WHERE c.digest IS NULL`,
  ],
  [
    name => `subject ${name}: its DID is not among the names that were taken`,
    `SELECT s.id AS name FROM subject s LEFT JOIN subject_name n ON n.name = s.did AND n.subject = s.id
     WHERE n.name IS NULL`,
  ],
  [
    name => `subject ${name}: its owner is not registered`,
    `SELECT s.id AS name FROM subject s LEFT JOIN subject o ON o.id = s.owner
     WHERE s.owner IS NOT NULL AND o.id IS NULL`,
  ],
  [
    name => `subject ${name} is at work though its owner was retired`,
    `SELECT s.id AS name FROM subject s JOIN subject o ON o.id = s.owner
     WHERE o.state = 'retired' AND s.state <> 'retired'`,
  ],
]

/**
 * What does not hold of a database, in words; empty if all is well. It only reads, and each search sees one instant, so
 * a service may be at work meanwhile.
 *
 * @throws STORAGE_UNAVAILABLE
 */
export async function checkDatabase(
  dataSource: DataSource,
  statusRows: StatusRows,
  statusRepair: StatusRepair,
): Promise<readonly string[]> {
  const wrong = dataSource.options.type === 'sqlite' ? await checkFile(dataSource) : []
  for (const [tell, sql] of SEARCHES) {
    const rows = await dataSource.query<readonly { readonly name: string }[]>(sql)
    wrong.push(...rows.map(({ name }) => tell(name)))
  }
  for await (const { digest, token } of rowsOf(dataSource, CredentialTable, 'digest')) {
    if (digestOf(token.slice(0, token.lastIndexOf('.'))) !== digest) wrong.push(`credential ${digest} is another token`)
  }
  for await (const { id, facts, charges } of rowsOf(dataSource, HoldTable, 'id')) {
    if (!isJson(facts) || !isCharges(charges)) wrong.push(`reservation ${id} cannot be read`)
  }
  wrong.push(...(await statusRepair.check()), ...(await checkBits(dataSource, statusRows)))
  return wrong
}

/** PostgreSQL looks after its own pages and foreign keys; a file may have been changed by anybody. */
async function checkFile(dataSource: DataSource): Promise<string[]> {
  const pages = await dataSource.query<{ integrity_check: string }[]>('PRAGMA integrity_check')
  const keys = await dataSource.query<{ table: string; rowid: number; parent: string }[]>('PRAGMA foreign_key_check')
  return [
    ...pages.map(row => row.integrity_check).filter(told => told !== 'ok'),
    ...keys.map(({ table, rowid, parent }) => `row ${rowid} of ${table} points to nothing in ${parent}`),
  ]
}

async function checkBits(dataSource: DataSource, statusRows: StatusRows): Promise<string[]> {
  const lists = await dataSource
    .createQueryBuilder(BitTable, 'bit')
    .select('bit.list', 'list')
    .groupBy('bit.list')
    .getRawMany<{ list: string }>()
  const wrong: string[] = []
  for (const { list } of lists) {
    const indexes = await statusRows.setIn(list)
    const owners = await statusRows.ownersOf(list, indexes)
    wrong.push(...indexes.filter((_, n) => owners[n] === null).map(index => `bit ${index} of list ${list} is nobody's`))
  }
  return wrong
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
