import rateLimit, { type FastifyRateLimitStore, type FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Counted } from '../../api/operation.js'
import { ProcuraError } from '../../errors.js'
import type { Charge, Throttle } from '../../ports/deciding.js'

/** Calls that one caller may make in a sliding window. */
export interface Limit {
  readonly max: number
  /** seconds */
  readonly per: number
}

/** What is counted in the ledger, so that processes share the counts: for each caller on its own; admins are not. */
export interface Limits extends Readonly<Record<Counted, Limit>> {
  /** identity credentials asked for */
  readonly identities: Limit
  /** leases of status indexes, up to 256 indexes each */
  readonly leases: Limit
  /** chains uploaded by a resource server */
  readonly chains: Limit
}

/** The count of one caller. @param who - its DID, or what else names it for good */
export function throttleOf(limits: Limits, what: Counted, who: string): Throttle {
  return { account: `${what} of ${who}`, ...limits[what] }
}

/** Refuses a call whose settlement was refused. @throws PRESENTATION_REPLAYED, RATE_LIMITED */
export function requireSettled(refused: null | 'used' | Throttle | Charge): void {
  if (refused === null) return
  if (refused !== 'used' && 'per' in refused) {
    throw new ProcuraError('RATE_LIMITED', { max: refused.max, per: refused.per })
  }
  throw new ProcuraError('PRESENTATION_REPLAYED', {})
}

/** How many calls of any kind are taken from one caller; admins are not counted. */
export interface CallLimits {
  /** by address: public operations, and callers who proved nothing */
  readonly strangers: Limit
  readonly subjects: Limit
  readonly resourceServers: Limit
}

/** What one request may take. */
export interface RequestLimits {
  /** bytes of a body */
  readonly body: number
  /** seconds for a request to arrive */
  readonly arrival: number
}

/** Counts a call. Each throws SERVICE_UNAVAILABLE, and RATE_LIMITED, and says then in `Retry-After` when the window ends. */
export interface Bounds {
  stranger(request: FastifyRequest, reply: FastifyReply): Promise<void>
  subject(request: FastifyRequest, reply: FastifyReply, did: string): Promise<void>
  resourceServer(request: FastifyRequest, reply: FastifyReply, name: string): Promise<void>
}

/** Callers whose calls are counted at once; the count of who called least lately is forgotten first. */
const REMEMBERED = 20_000

/** A Redis where the processes of a service count together. */
export interface SharedCount {
  /** an ioredis connection */
  readonly redis: object
  /** does what asks it; refuses at once where it does not answer */
  readonly attempt: <T>(work: () => Promise<T>) => Promise<T>
  /** the service's own: others may count in the same Redis */
  readonly origin: string
}

/** Counts the calls of several processes in one place. */
export interface Counts {
  /**
   * Adds a call.
   *
   * @param window - milliseconds
   * @returns as how many it counts, and the milliseconds until the window ends
   */
  add(name: string, max: number, window: number): Promise<{ readonly current: number; readonly ttl: number }>
}

/** Counts calls: in Redis, where all processes of a service count together, else where `counts` says, else in this process. */
export async function createBounds(
  app: FastifyInstance,
  limits: CallLimits,
  shared: SharedCount | null,
  counts: Counts | null,
): Promise<Bounds> {
  const store =
    shared === null ? storeOf(counts) : { redis: shared.redis, nameSpace: `procura:calls:${shared.origin}:` }
  await app.register(rateLimit, { global: false, ...store })
  const attempt = shared === null ? <T>(work: () => Promise<T>): Promise<T> => work() : shared.attempt
  const names = new WeakMap<FastifyRequest, string>()
  // read for each counter, though its type does not say so: what the plugin is given counts for none of them
  const remembered = { cache: REMEMBERED }
  const counter = ({ max, per }: Limit, keyGenerator?: (request: FastifyRequest) => string) => {
    const count = app.createRateLimit({
      max,
      timeWindow: per * 1000,
      ...remembered,
      ...(keyGenerator === undefined ? {} : { keyGenerator }),
    })
    return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
      const counted = await attempt(() => count(request)).catch((cause: unknown) => {
        throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the count of calls', why: 'no answer' }, { cause })
      })
      if (counted.isAllowed || !counted.isExceeded) return
      void reply.header('retry-after', String(counted.ttlInSeconds))
      throw new ProcuraError('RATE_LIMITED', { max, per })
    }
  }
  const named = (limit: Limit) => {
    const count = counter(limit, request => names.get(request) ?? '')
    return (request: FastifyRequest, reply: FastifyReply, name: string): Promise<void> => {
      names.set(request, name)
      return count(request, reply)
    }
  }
  const [subject, resourceServer] = [named(limits.subjects), named(limits.resourceServers)]
  return {
    // by address, as the library knows it: of IPv6 by the network
    stranger: counter(limits.strangers),
    subject: (request, reply, did) => subject(request, reply, `subject ${did}`),
    resourceServer: (request, reply, name) => resourceServer(request, reply, `resource server ${name}`),
  }
}

/** As the library wants it; `counts` knows callers by names that no two counters share. */
function storeOf(counts: Counts | null): { readonly store?: FastifyRateLimitStoreCtor } {
  if (counts === null) return {}
  class Store implements FastifyRateLimitStore {
    incr(
      name: string,
      done: (error: Error | null, count?: { current: number; ttl: number }) => void,
      window: number,
      max: number,
    ): void {
      counts?.add(name, max, window).then(
        count => done(null, count),
        (error: unknown) => done(error as Error),
      )
    }
    child(): this {
      return this
    }
  }
  return { store: Store }
}
