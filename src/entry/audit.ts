import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { KEY, readIfThere } from '../adapters/audit/files.js'
import { openLog, type AuditLog } from '../adapters/audit/log.js'
import { provingLog, type ProvingLog } from '../adapters/audit/proofs.js'
import { anyOf, type AnyLog } from '../adapters/audit/several.js'
import type { AuditParts } from '../adapters/http/audit-routes.js'
import { figuresOf } from '../adapters/store/figures.js'
import type { Store } from '../adapters/store/store.js'
import { createMetrics, type Metrics } from '../adapters/telemetry/metrics.js'
import { systemClock } from '../adapters/system.js'
import { keyFileRefusal, makeKeyFile, readKeyFile } from '../adapters/veramo/key-file.js'
import { formatSigner, parseKey, parseSigner, type NoteSigner } from '../audit/note.js'
import { sha256 } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import type { Config } from './config.js'

/**
 * A tamper-evident log in a folder, as {@link openLog} says, signed with a key that the first start makes beside it:
 * `<folder>.key`, mode 0600. Pin the public one (`procura audit key`) where the keeper of the log cannot change it.
 *
 * @param folder - made if missing
 * @param host - what the log's name begins with
 * @throws KEY_FILE, AUDIT_UNAVAILABLE, AUDIT_BROKEN
 */
export async function fileAudit(folder: string, host = 'procura.local'): Promise<AuditLog> {
  return openLog(folder, await signerOf(folder, host), systemClock)
}

/**
 * The logs of an agent file.
 *
 * @returns `log`: the first, which is asked and measured; `logs`: all as one
 * @throws KEY_FILE, AUDIT_UNAVAILABLE, AUDIT_BROKEN - of any of them
 */
export async function openAudits(
  { audit, origin }: Pick<Config, 'audit' | 'origin'>,
  opened: (() => Promise<unknown>)[],
): Promise<{ readonly log: AuditLog; readonly logs: AnyLog; readonly folders: readonly [string, AuditLog][] }> {
  const folders: [string, AuditLog][] = []
  for (const folder of audit) {
    const log = await fileAudit(folder, new URL(origin).host)
    opened.push(() => log.close())
    folders.push([folder, log])
  }
  const [first] = folders
  if (first === undefined) throw new ProcuraError('CONFIG_INVALID', { at: 'procura.audit', why: 'names no folder' })
  return { log: first[1], logs: anyOf(folders.map(([, log]) => log)), folders }
}

/** What a service measures, its log included. */
export function openMetrics(log: Pick<AuditLog, 'size'>): Metrics {
  const metrics = createMetrics()
  metrics.watch('procura_audit_records', 'records of the audit log that are on the disk', () => log.size())
  return metrics
}

/** Adds what the service's store can tell. */
export function watchStore(metrics: Metrics, store: Pick<Store, 'dataSource'>): void {
  const figures = figuresOf(store)
  metrics.watch('procura_replay_entries', 'presentations and proofs remembered, so that none counts twice', () =>
    figures.replays(),
  )
  metrics.watch('procura_status_list_age_seconds', 'seconds since the oldest served list was signed', async () => {
    const signedAt = await figures.oldestSignature()
    return signedAt === null ? null : Math.max(0, systemClock.now() - signedAt)
  })
}

/** What the service answers with about its log. */
export function auditDesk(
  { audit: [folder = ''], auditors }: Pick<Config, 'audit' | 'auditors'>,
  { log, ask }: { readonly log: Pick<AuditLog, 'key'>; readonly ask: AuditParts['ask'] },
): AuditParts {
  const key = parseKey(log.key)
  const signed = (): Promise<ProvingLog> => provingLog(folder, key)
  return { key: log.key, auditors: new Set(auditors), ask, signed }
}

async function signerOf(folder: string, host: string): Promise<NoteSigner> {
  const file = `${folder}.key`
  if ((await readKeyFile(file)) === null) {
    const isOld = (await readIfThere(join(folder, KEY)).catch(() => null)) !== null
    if (isOld) throw keyFileRefusal(file, 'is missing; restore the key file that belongs to this log')
    await makeKeyFile(file, `${newKey(host)}\n`)
  }
  const text = (await readKeyFile(file)) ?? ''
  try {
    return parseSigner(text.trimEnd())
  } catch (cause) {
    throw keyFileRefusal(file, 'holds no key of a log', cause)
  }
}

/** Two logs of one host have two names, because the name tells the key. */
function newKey(host: string): string {
  const seed = randomBytes(32)
  const { key } = parseSigner(formatSigner('unnamed', seed))
  return formatSigner(`${host}/audit/${Buffer.from(sha256(key.bytes)).toString('hex').slice(0, 8)}`, seed)
}
