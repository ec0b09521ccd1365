import type { AuditLog } from './log.js'

/** What several logs do as one. */
export type AnyLog = Pick<AuditLog, 'record' | 'requireWritable'>

/** Several logs as one: what at least one of them took is on record. Refuses with what the first one said if none did. */
export function anyOf(logs: readonly AnyLog[]): AnyLog {
  const any = async (ask: (log: AnyLog) => Promise<void>): Promise<void> => {
    const tried = await Promise.allSettled(logs.map(ask))
    const [first] = tried
    if (first?.status === 'rejected' && tried.every(one => one.status === 'rejected')) throw first.reason
  }
  return {
    record: (entry, soon) => any(log => log.record(entry, soon)),
    requireWritable: () => any(log => log.requireWritable()),
  }
}
