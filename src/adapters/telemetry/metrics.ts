import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Audit } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import type { Verifier } from '../../verifier/verifier.js'

/** What a service measures of itself. */
export interface Metrics {
  /**
   * The log, counting what is put on record: decisions by outcome and code, with the age of the status lists they relied
   * on, what was issued by its kind, and everything by its type.
   */
  counted(audit: Audit): Audit
  /** The verifier, with the time that each decision takes. */
  timed<V extends Pick<Verifier, 'decide'>>(verifier: V): V
  /** A figure that is asked for when it is read; it is left out while there is none, or it cannot be read. */
  watch(name: string, help: string, read: () => Promise<number | null>): void
  /** Something that was taken back at `since` is known to verifiers here by a feed now, or shown by a list of this service. */
  spread(by: 'feed' | 'list', since: UnixSeconds): void
  /** Everything, in the text format of Prometheus. */
  text(): Promise<string>
  /** Everything as plain data, for {@link summed}. */
  json(): Promise<object>
}

/**
 * The figures of several processes in the text format of Prometheus: counts are summed, and what all of them see is told
 * once.
 */
export function summed(all: readonly object[]): Promise<string> {
  return AggregatorRegistry.aggregate([...all]).metrics()
}

/** Seconds: a decision from memory takes a millisecond, one that fetches a list a second. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** Seconds: times of events are whole ones, so what is below a second may be rounding. */
const SPREAD = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600]
/** Seconds: what policies ask for is 300 at most, and a list stands for 360. */
const AGES = [0, 1, 5, 15, 30, 60, 120, 300]
/** Types of records of what is issued, and what it is. */
const ISSUED = new Map([
  ['grant', 'capability'],
  ['identity', 'identity'],
])

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
  const issued = new Counter({
    name: 'procura_issued_total',
    help: 'credentials issued',
    labelNames: ['kind'],
    registers,
  })
  const ages = new Histogram({
    name: 'procura_decision_status_age_seconds',
    help: 'age of the oldest status list that a decision relied on',
    buckets: AGES,
    registers,
  })
  const spreads = new Histogram({
    name: 'procura_revocation_propagation_seconds',
    help: 'from the time of a revocation until verifiers here learned it by a feed, or a list of this service showed it',
    labelNames: ['by'],
    buckets: SPREAD,
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
        const { type, allow, code, statusAge } = entry as Readonly<Record<string, unknown>>
        const kind = ISSUED.get(String(type))
        records.inc({ type: String(type) })
        if (kind !== undefined) issued.inc({ kind })
        if (type === 'decision' && typeof statusAge === 'number') ages.observe(statusAge)
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
        aggregator: 'max',
        async collect() {
          const value = await read().catch(() => null)
          if (value === null) this.remove()
          else this.set(value)
        },
      })
    },
    spread(by, since) {
      spreads.observe({ by }, Math.max(0, Date.now() / 1000 - since))
    },
    text: () => registry.metrics(),
    json: () => registry.getMetricsAsJSON(),
  }
}
