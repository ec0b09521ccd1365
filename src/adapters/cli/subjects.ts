import type { Client } from '../../api/client.js'
import { isDid, type Did } from '../../did/did.js'
import { printable, ProcuraError } from '../../errors.js'
import type { SubjectKind } from '../../ports/register.js'
import { toDate, toSeconds } from '../../time.js'
import type { Terminal } from './terminal.js'

/** What every command of the register is told. */
export interface SubjectOptions {
  readonly output: 'json' | 'table'
}

/** Options of `procura agent create`; people and organisations have fewer. */
export interface CreateOptions extends SubjectOptions {
  /** a wallet in which a new DID is made */
  readonly in?: string
  /** or a DID that is there already */
  readonly did?: string
  /** its key, base64url, where the DID does not contain it */
  readonly key?: string
  readonly operator?: string
  readonly autonomy?: string
  readonly risk?: string
  /** `30m`, `2h`, or seconds */
  readonly ttl?: string
}

/** What the commands need: the service as its operator, and wallets. */
export interface SubjectWorld {
  readonly terminal: Terminal
  readonly admin: {
    readonly api: Pick<Client, 'register' | 'subject' | 'subjects' | 'suspend' | 'resume' | 'retire'>
  }
  /** Makes an agent in a wallet, and the wallet if it is missing. @returns its DID */
  readonly newAgent: (storage: string, name: string) => Promise<Did>
}

type Row = Awaited<ReturnType<Client['subject']>>
type Query = NonNullable<Parameters<Client['subjects']>[0]>['query'] & object

const COLUMNS = ['kind', 'name', 'state', 'did'] as const

/** Registers a subject, and makes its DID first where a wallet is named. @throws SCHEMA, and what the service answers */
export async function createSubject(
  kind: SubjectKind,
  name: string,
  { in: wallet, did, key, operator, autonomy, risk, ttl, output }: CreateOptions,
  { admin, newAgent, terminal }: SubjectWorld,
): Promise<void> {
  if ((wallet === undefined) === (did === undefined)) throw wrong('--in', 'or --did is needed, and not both')
  const seconds = ttl === undefined ? null : toSeconds(ttl)
  if (ttl !== undefined && seconds === null) throw wrong('--ttl', 'is not a duration such as 90, 30m or 2h')
  const subject = did === undefined ? await newAgent(wallet ?? '', name) : parseDid(did)
  const answer = await admin.api.register({
    body: {
      kind,
      did: subject,
      name,
      ...(key === undefined ? {} : { key }),
      ...(kind === 'agent' ? { agent: defined({ operator, autonomy, risk }) } : {}),
      ...(seconds === null ? {} : { ttl: seconds }),
    },
  })
  if (output === 'json') terminal.print(JSON.stringify(answer))
  else show(answer.subject, terminal)
}

/** Prints all of a kind, a page at a time. */
export async function listSubjects(
  kind: SubjectKind,
  { state, output }: SubjectOptions & { readonly state?: string },
  { admin, terminal }: SubjectWorld,
): Promise<void> {
  const rows: Row[] = []
  for (let after: string | null | undefined; after !== null;) {
    const query = { kind, limit: 200, ...defined({ state, after }) } as Query
    const { subjects, next } = await admin.api.subjects({ query })
    rows.push(...subjects)
    after = next
  }
  if (output === 'json') {
    terminal.print(JSON.stringify(rows))
    return
  }
  const cells = [COLUMNS, ...rows.map(row => COLUMNS.map(column => printable(textOf(row[column]))))]
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0)))
  for (const row of cells)
    terminal.print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}

/** Prints one registration. @throws NOT_FOUND */
export async function showSubject(did: string, { output }: SubjectOptions, world: SubjectWorld): Promise<void> {
  const found = await world.admin.api.subject({ params: { did: parseDid(did) } })
  if (output === 'json') world.terminal.print(JSON.stringify(found))
  else show(found, world.terminal)
}

/** Suspends, resumes or retires. @throws what the service answers */
export async function changeSubject(
  did: string,
  verb: 'suspend' | 'resume' | 'retire',
  { output }: SubjectOptions,
  { admin, terminal }: SubjectWorld,
): Promise<void> {
  const changed = await admin.api[verb]({ params: { did: parseDid(did) }, body: {} })
  if (output === 'json') terminal.print(JSON.stringify(changed))
  else show(changed, terminal)
}

function show(subject: Row, terminal: Terminal): void {
  for (const [name, value] of Object.entries(subject)) {
    if (value === null) continue
    const text = name.endsWith('At') && typeof value === 'number' ? toDate(value) : textOf(value)
    terminal.print(`${name.padEnd(13)} ${printable(text)}`)
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '')
}

function parseDid(text: string): Did {
  if (isDid(text)) return text
  throw wrong('did', 'is not a DID')
}

function wrong(at: string, why: string): ProcuraError {
  return new ProcuraError('SCHEMA', { at, why })
}

function defined(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).filter((one): one is [string, string] => one[1] !== undefined))
}
