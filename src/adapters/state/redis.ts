import { setTimeout as pause } from 'node:timers/promises'
import { Cluster, Redis, ReplyError, type RedisOptions } from 'ioredis'
import { ProcuraError } from '../../errors.js'
import { Circuit } from '../circuit.js'
import { parseRedisUrl } from './redis-url.js'

/** A Redis, or a Redis Cluster, while it answers. */
export interface RedisLink {
  readonly redis: Redis | Cluster
  /** for people and errors: without user and password */
  readonly name: string
  /**
   * Does what asks Redis. Refused at once while there is no connection or no sign of life: nobody waits for it.
   *
   * @throws SERVICE_UNAVAILABLE - it may have been done all the same
   */
  readonly attempt: <T>(work: () => Promise<T>) => Promise<T>
  /** @throws SERVICE_UNAVAILABLE */
  requireAnswer(): Promise<void>
  close(): Promise<void>
}

/** Milliseconds for a connection. */
const PATIENCE = 1000
/** Milliseconds until a server that lives counts as one that does not answer. */
const ANSWER_TIMEOUT = 3000
/** Calls under way at once; each is done in less than a millisecond. */
const MOST = 2000

/**
 * Connects to Redis; a server that is part of a cluster leads to the whole cluster.
 *
 * @param url - see {@link parseRedisUrl}
 * @throws CONFIG_INVALID; SERVICE_UNAVAILABLE - it does not answer
 */
export async function openRedis(url: string): Promise<RedisLink> {
  const { options, name } = parseRedisUrl(url)
  const refusal = (why: string): ProcuraError<'SERVICE_UNAVAILABLE'> =>
    new ProcuraError('SERVICE_UNAVAILABLE', { service: name, why })
  const single = connectionOf(options)
  let redis: Redis | Cluster = single
  const circuit = new Circuit({
    probe: () => redis.ping().catch(requireReply),
    refusal,
    most: MOST,
    // a line that is dead stays so for long after the server is back; one that is being laid is not cut
    onOpen: () => {
      if (redis.status === 'ready') redis.disconnect(true)
    },
  })
  const attempt = <T>(work: () => Promise<T>): Promise<T> => translated(() => circuit.run(work))
  const translated = <T>(work: () => Promise<T>): Promise<T> =>
    work().catch((error: unknown) => {
      // an error of the driver carries what was asked, at log-in a password
      throw error instanceof ProcuraError ? error : refusal(reasonOf(error))
    })
  const link: RedisLink = {
    get redis() {
      return redis
    },
    name,
    attempt,
    async requireAnswer() {
      await attempt(() => redis.ping())
    },
    close() {
      circuit.close()
      redis.disconnect()
      return Promise.resolve()
    },
  }
  try {
    await translated(async () => {
      await single.connect()
      if (!/^redis_mode:cluster/m.test(await single.info('server'))) return
      redis = clusterOf(options)
      single.disconnect()
      await Promise.race([redis.connect(), late('the cluster is not whole')])
    })
    return link
  } catch (error) {
    await link.close()
    throw error
  }
}

const PATIENT: RedisOptions = {
  lazyConnect: true,
  connectTimeout: PATIENCE,
  commandTimeout: ANSWER_TIMEOUT,
  disconnectTimeout: 100,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  keepAlive: 10_000,
}

function connectionOf(options: RedisOptions): Redis {
  const redis = new Redis({ ...PATIENT, ...options, enableOfflineQueue: false, retryStrategy: pauseBefore })
  // without a listener each attempt to connect again would end the process
  redis.on('error', () => undefined)
  return redis
}

function clusterOf({ host, port, ...options }: RedisOptions): Cluster {
  const cluster = new Cluster([{ host, port: port ?? 6379 }], {
    lazyConnect: true,
    clusterRetryStrategy: pauseBefore,
    slotsRefreshTimeout: PATIENCE,
    redisOptions: { ...PATIENT, ...options },
  })
  cluster.on('error', () => undefined)
  return cluster
}

/** Milliseconds before the next attempt to connect. */
function pauseBefore(attempt: number): number {
  return Math.min(attempt * 100, 1000)
}

/** A server that refuses lives. */
function requireReply(error: unknown): void {
  if (!(error instanceof ReplyError)) throw error
}

async function late(why: string): Promise<never> {
  await pause(ANSWER_TIMEOUT, undefined, { ref: false })
  throw new Error(why)
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer'
  const { lastNodeError: last } = error as { readonly lastNodeError?: unknown }
  return (last instanceof Error ? last : error).message
}
