import { openSearch } from '../adapters/audit/search.js'
import type { AuditLog } from '../adapters/audit/log.js'
import type { AnyLog } from '../adapters/audit/several.js'
import type { AuditParts } from '../adapters/http/audit-routes.js'
import type { Counts } from '../adapters/http/limits.js'
import { countsOver } from '../adapters/processes/counts.js'
import type { Link } from '../adapters/processes/link.js'
import type { Metrics } from '../adapters/telemetry/metrics.js'
import { parseKey } from '../audit/note.js'
import { openAudits } from './audit.js'
import type { Config } from './config.js'

/** What the processes of a service have in common, besides the database: one keeps it for all. */
export interface Commons {
  /** the first log, which is asked and measured */
  readonly log: Pick<AuditLog, 'key' | 'size'>
  /** all logs as one */
  readonly logs: AnyLog
  /** Questions over the first log. */
  readonly ask: AuditParts['ask']
  /** counts calls; `null`: this process counts its own, there is no other */
  readonly counts: Counts | null
  /** Hands over what this process measures. @returns tells the figures of all, in the text format of Prometheus */
  figures(own: Metrics): () => Promise<string>
}

/** The commons of a service that is one process, and what is kept for the workers of one that is several. @throws as {@link openAudits} */
export async function openCommons(config: Config, opened: (() => Promise<unknown>)[]): Promise<Commons> {
  const { log, logs } = await openAudits(config, opened)
  const search = await openSearch(config.audit[0] ?? '', parseKey(log.key))
  opened.push(() => search.close())
  return {
    ...{ log, logs },
    ask: (...asked) => search.ask(...asked),
    counts: null,
    figures: own => () => own.text(),
  }
}

/**
 * The commons of a worker: the process that started it keeps them.
 *
 * @param measured - handed what this worker measures
 * @throws SERVICE_UNAVAILABLE - that process is gone
 */
export async function commonsOver(link: Link, measured: (own: Metrics) => void): Promise<Commons> {
  return {
    log: { key: await link.ask<string>('key'), size: () => link.ask<number>('size') },
    logs: {
      record: (entry, soon = false) => link.ask('record', [entry, soon]),
      requireWritable: () => link.ask('writable'),
    },
    ask: (...asked) => link.ask('search', asked),
    counts: { add: countsOver(link, () => performance.now()) },
    figures(own) {
      measured(own)
      return () => link.ask('figures')
    },
  }
}
