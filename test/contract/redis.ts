import { openRedis } from '../../src/adapters/state/redis.js'

/** The Redis of this run; empty without one. */
export const REDIS = process.env['PROCURA_TEST_REDIS'] ?? ''

/** False if there is none: then `redis-server.ts` has said so. */
export const hasRedis = REDIS !== ''

/** Takes away what a test left, by a part of its keys' names. */
export async function forgetRedis(part: string): Promise<void> {
  const link = await openRedis(REDIS)
  for (const key of await link.redis.keys(`procura:*${part}*`)) await link.redis.del(key)
  await link.close()
}
