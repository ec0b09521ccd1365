import type { Client } from '../../api/client.js'
import { isDid, type Did } from '../../did/did.js'
import { ProcuraError } from '../../errors.js'
import type { SubjectKind } from '../../ports/register.js'
import { toDate, toSeconds } from '../../time.js'
import { columns, members, show, type Output } from './output.js'
import type { Terminal } from './terminal.js'

/** Options of `procura agent create`; people and organisations have fewer. */
export interface CreateOptions extends Output {
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
  show(terminal, { output }, answer, () => linesOf(answer.subject))
}

/** Prints all of a kind, a page at a time. */
export async function listSubjects(
  kind: SubjectKind,
  { state, output }: Output & { readonly state?: string },
  { admin, terminal }: SubjectWorld,
): Promise<void> {
  const rows: Row[] = []
  for (let after: string | null | undefined; after !== null;) {
    const query = { kind, limit: 200, ...defined({ state, after }) } as Query
    const { subjects, next } = await admin.api.subjects({ query })
    rows.push(...subjects)
    after = next
  }
  show(terminal, { output }, rows, () => columns([COLUMNS, ...rows.map(row => COLUMNS.map(name => row[name]))]))
}

/** Prints one registration. @throws NOT_FOUND */
export async function showSubject(did: string, options: Output, { admin, terminal }: SubjectWorld): Promise<void> {
  const found = await admin.api.subject({ params: { did: parseDid(did) } })
  show(terminal, options, found, () => linesOf(found))
}

/** Suspends, resumes or retires. @throws what the service answers */
export async function changeSubject(
  did: string,
  verb: 'suspend' | 'resume' | 'retire',
  options: Output,
  { admin, terminal }: SubjectWorld,
): Promise<void> {
  const changed = await admin.api[verb]({ params: { did: parseDid(did) }, body: {} })
  show(terminal, options, changed, () => linesOf(changed))
}

/** Times are for people to read. */
function linesOf(subject: Row): readonly string[] {
  const { registeredAt, expiresAt } = subject
  return members({
    ...subject,
    registeredAt: toDate(registeredAt),
    expiresAt: expiresAt === null ? null : toDate(expiresAt),
  })
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
