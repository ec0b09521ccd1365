import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Audit } from '../../ports.js'
import type { Verifier } from '../../verifier/verifier.js'

/** What a service measures of itself. */
export interface Metrics {
  /** The log, counting what is put on record: decisions by outcome and code, and everything by its type. */
  counted(audit: Audit): Audit
  /** The verifier, with the time that each decision takes. */
  timed<V extends Pick<Verifier, 'decide'>>(verifier: V): V
  /** A figure that is asked for when it is read. */
  watch(name: string, help: string, read: () => Promise<number>): void
  /** Everything, in the text format of Prometheus. */
  text(): Promise<string>
}

/** Seconds: a decision from memory takes a millisecond, one that fetches a list a second. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** Measures in a registry of its own; what Node says of its process and event loop is in it. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const records = new Counter({
    name: 'procura_records_total',
    help: 'records put on the audit log',
    labelNames: ['type'],
    registers,
  })
  const decisions = new Counter({
    name: 'procura_decisions_total',
    help: 'decisions by outcome and code',
    labelNames: ['outcome', 'code'],
    registers,
  })
  const failures = new Counter({
    name: 'procura_audit_failures_total',
    help: 'records that could not be put on the audit log',
    registers,
  })
  const seconds = new Histogram({
    name: 'procura_decision_seconds',
    help: 'time that a decision took, its record included',
    buckets: BUCKETS,
    registers,
  })

  return {
    counted: audit => ({
      async record(entry, soon) {
        try {
          await audit.record(entry, soon)
        } catch (error) {
          failures.inc()
          throw error
        }
        const { type, allow, code } = entry as {
          readonly type?: unknown
          readonly allow?: unknown
          readonly code?: unknown
        }
        records.inc({ type: String(type) })
        if (type === 'decision')
          decisions.inc({ outcome: allow === true ? 'allow' : 'deny', code: typeof code === 'string' ? code : '' })
      },
    }),
    timed: verifier => ({
      ...verifier,
      async decide(shown, received, options) {
        const end = seconds.startTimer()
        return verifier.decide(shown, received, options).finally(end)
      },
    }),
    watch(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          this.set(await read())
        },
      })
    },
    text: () => registry.metrics(),
  }
}
