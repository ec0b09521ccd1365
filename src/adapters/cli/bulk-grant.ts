import { CommanderError } from 'commander'
import type { Client } from '../../api/client.js'
import { isDid, type Did } from '../../did/did.js'
import { ProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import type { BulkWork, Task } from './bulk.js'
import { secondsOf } from './grant.js'
import type { Row } from './rows.js'
import { readWrittenOptions, type WrittenOptions, type WrittenWorld } from './written-options.js'

/** Columns that name the options of `procura grant`; lists are separated by spaces, budgets by semicolons. */
const COLUMNS = {
  to: 'to',
  ttl: 'ttl',
  resource: 'resource',
  action: 'action',
  budget: 'budget',
  rate: 'rate',
  more: 'more',
  audience: 'audience',
  recipient: 'recipient',
  'on-behalf-of': 'onBehalfOf',
} as const
const LISTS = new Set(['resource', 'action', 'audience', 'recipient', 'budget'])
const ARGUMENT = /^arg\.(.+)$/s

/** Options of `procura bulk grant`. */
export interface BulkGrantOptions {
  /** the authority for all rows, in YAML or JSON; rows say to whom, and for how long */
  readonly file?: string
}

/** What the work needs. */
export interface BulkGrantWorld extends WrittenWorld {
  readonly admin: { readonly api: Pick<Client, 'grant' | 'subjects'> }
}

/** Issues a root capability for each row: `procura grant`, with the row's columns for its options. */
export function grantWork({ file }: BulkGrantOptions, world: BulkGrantWorld): BulkWork {
  const find = directoryOf(world.admin.api)
  let yaml: ReturnType<WrittenWorld['readYaml']> | undefined
  const reading = { ...world, readYaml: (path: string) => (yaml ??= world.readYaml(path)) }

  async function grant({ row, key }: Task): Promise<JsonObject> {
    const written = await asRow(() =>
      readWrittenOptions({ ...optionsOf(row), ...(file === undefined ? {} : { file }) }, reading),
    )
    const to = typeof row['to'] === 'string' ? await find(row['to']) : written.to
    if (to === null) throw wrong('to', 'is missing: who receives it')
    const { draft, origins, ttl } = written
    const authority = { ...draft, audience: draft.audience.length === 0 ? origins : draft.audience }
    const body = { to, ttl: await asRow(() => secondsOf(ttl)), authority: authority as unknown as JsonObject }
    const answer = await world.admin.api.grant({ body }, { idempotencyKey: key })
    return { to, ...answer }
  }
  return {
    what: 'grant',
    rows: 1,
    calls: 16,
    isFree: false,
    columns: name =>
      name === 'to' || name === 'ttl' || (file === undefined && (Object.hasOwn(COLUMNS, name) || ARGUMENT.test(name))),
    do: async tasks => Promise.all(tasks.map(grant)),
  }
}

/** Who a row is for is looked up later: it may be a name. */
function optionsOf(row: Row): WrittenOptions {
  const options: Record<string, string | readonly string[]> = {}
  const arg: string[] = []
  for (const [column, value] of Object.entries(row)) {
    const argument = ARGUMENT.exec(column)?.[1]
    if (argument !== undefined) {
      if (typeof value !== 'string') throw wrong(column, 'is not a text')
      arg.push(`${argument}=${value}`)
    } else if (LISTS.has(column)) options[COLUMNS[column as keyof typeof COLUMNS]] = listOf(column, value)
    else if (typeof value !== 'string') throw wrong(column, 'is not a text')
    else if (column !== 'to') options[COLUMNS[column as keyof typeof COLUMNS]] = value
  }
  return arg.length === 0 ? options : { ...options, arg }
}

function listOf(column: string, value: string | readonly string[]): readonly string[] {
  if (typeof value !== 'string') return value
  return value
    .split(column === 'budget' ? ';' : /\s+/)
    .map(one => one.trim())
    .filter(one => one !== '')
}

/** DIDs of registered subjects by name; the register is read once, and only if a name is asked for. */
function directoryOf(api: Pick<Client, 'subjects'>): (who: string) => Promise<Did> {
  let all: Promise<ReadonlyMap<string, readonly string[]>> | undefined
  return async who => {
    if (isDid(who)) return who
    const found = (await (all ??= readDirectory(api))).get(who) ?? []
    const [did] = found
    if (found.length > 1) throw wrong('to', `names ${found.length} subjects; write the DID`)
    if (!isDid(did)) throw new ProcuraError('NOT_FOUND', { what: `subject named ${JSON.stringify(who)}` })
    return did
  }
}

async function readDirectory(api: Pick<Client, 'subjects'>): Promise<ReadonlyMap<string, readonly string[]>> {
  const names = new Map<string, string[]>()
  for (let after: string | null | undefined; after !== null;) {
    const page = await api.subjects({ query: { limit: 200, ...(after === undefined ? {} : { after }) } })
    for (const { name, did } of page.subjects) names.set(name, [...(names.get(name) ?? []), did])
    after = page.next
  }
  return names
}

/** What would be a usage fault on a command line is a fault of the row. */
async function asRow<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    throw wrong('row', error.message)
  }
}

function wrong(at: string, why: string): ProcuraError {
  return new ProcuraError('SCHEMA', { at, why })
}
