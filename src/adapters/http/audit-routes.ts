import { OPERATIONS } from '../../api/operations.js'
import type { Question } from '../../audit/question.js'
import type { Did } from '../../did/did.js'
import { ProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import type { Caller } from '../../registrar/registrar.js'
import type { Serve } from './serve.js'

/** Where a page of records ends. */
interface Place {
  readonly at: number
  readonly index: number
}

/** The log as its latest checkpoint has it. */
interface SignedLog {
  /** the checkpoint as it was signed */
  readonly note: string
  /** bytes of a record; `null` if its content was pruned */
  entry(index: number): Promise<Uint8Array | null>
  leaf(index: number): Promise<Uint8Array>
  inclusion(index: number): Promise<readonly Uint8Array[]>
  consistency(earlier: number): Promise<readonly Uint8Array[]>
}

/** What the routes of the audit log answer with. */
export interface AuditParts {
  /** public key of the log, as text */
  readonly key: string
  /** who may read it beside the admins */
  readonly auditors: ReadonlySet<Did>
  readonly ask: (question: Question, limit: number, after: Place | null) => Promise<AuditPage>
  readonly signed: () => Promise<SignedLog>
}

/** Records in the order of time. */
interface AuditPage {
  readonly records: readonly { readonly index: number; readonly record: JsonObject | null }[]
  readonly next: Place | null
}

const MAX_PAGE = 1000
const PAGE = 100

/**
 * The audit log, for admins and auditors (service.md §3): records by what they are found by, a page at a time, and what
 * proves them: the signed checkpoint, a record's way to its root, the way from an earlier checkpoint.
 */
export function auditRoutes(serve: Serve, { key, auditors, ask, signed }: AuditParts): void {
  function requireAuditor({ did, isAdmin }: Caller): void {
    if (isAdmin || auditors.has(did)) return
    throw new ProcuraError('CALLER_FORBIDDEN', { caller: did, what: 'read the audit log' })
  }

  serve(OPERATIONS.audit, async ({ query, by }) => {
    requireAuditor(by)
    const { limit, after, since, until, ...question } = query
    const window = { since: numberOf(since), until: numberOf(until) }
    const [at, index] = after?.split('.').map(Number) ?? []
    const from = at === undefined || index === undefined ? null : { at, index }
    const page = await ask({ ...question, ...window }, Math.max(1, Math.min(numberOf(limit) ?? PAGE, MAX_PAGE)), from)
    const next = page.next === null ? null : `${page.next.at}.${page.next.index}`
    return { records: page.records.map(({ index: number, record }) => ({ index: number, record })), next }
  })

  serve(OPERATIONS.auditCheckpoint, async ({ by }) => {
    requireAuditor(by)
    return { key, checkpoint: (await signed()).note }
  })

  serve(OPERATIONS.auditRecord, async ({ params, by }) => {
    requireAuditor(by)
    const index = Number(params.index)
    const log = await signed()
    const entry = await log.entry(index)
    const record =
      entry === null ? { hash: base64(await log.leaf(index)) } : { record: Buffer.from(entry).toString('utf8') }
    return { index, ...record, proof: (await log.inclusion(index)).map(base64), checkpoint: log.note }
  })

  serve(OPERATIONS.auditConsistency, async ({ params, by }) => {
    requireAuditor(by)
    const size = Number(params.size)
    const log = await signed()
    return { size, proof: (await log.consistency(size)).map(base64), checkpoint: log.note }
  })
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}

function base64(hash: Uint8Array): string {
  return Buffer.from(hash).toString('base64')
}
