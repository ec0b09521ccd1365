import { Redis } from 'ioredis'
import { ProcuraError } from '../../errors.js'

/** What is kept in Redis, while it answers. */
export interface RedisState {
  readonly redis: Redis
  /** @throws SERVICE_UNAVAILABLE */
  requireAnswer(): Promise<void>
  close(): Promise<void>
}

/** Milliseconds for a connection, and for a command. */
const PATIENCE = 1000

/**
 * Connects to Redis. What is asked while there is no connection fails at once: nobody waits for it.
 *
 * @param url - `redis://user:password@host:port/0`, or `rediss://…` over TLS
 * @throws SERVICE_UNAVAILABLE - it does not answer
 */
export async function openRedis(url: string): Promise<RedisState> {
  const { host } = new URL(url)
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: PATIENCE,
    commandTimeout: PATIENCE,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: attempt => Math.min(attempt * 100, 2000),
  })
  // without a listener each attempt to connect again would end the process
  redis.on('error', () => undefined)
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work()
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'no answer'
      throw new ProcuraError('SERVICE_UNAVAILABLE', { service: `redis://${host}`, why }, { cause })
    }
  }
  try {
    await attempt(() => redis.connect())
  } catch (error) {
    redis.disconnect()
    throw error
  }
  return {
    redis,
    requireAnswer: () => attempt(() => redis.ping()),
    close: () => {
      redis.disconnect()
      return Promise.resolve()
    },
  }
}
