import { openRedis } from '../../src/adapters/state/redis.js'
import { Keepers } from '../../src/adapters/store/keepers.js'
import { openStore } from '../../src/adapters/store/store.js'
import { systemClock } from '../../src/adapters/system.js'

/** The Redis of this run; empty without one. */
export const REDIS = process.env['PROCURA_TEST_REDIS'] ?? ''

/** False if there is none: then `redis-server.ts` has said so. */
export const hasRedis = REDIS !== ''

/** Takes away what services on a database left. */
export async function forgetRedisOf(storage: string): Promise<void> {
  const store = await openStore(storage)
  const name = await new Keepers(store.dataSource, systemClock).installation()
  await store.close()
  await forgetRedis(name)
}

/** Takes away what a test left, by a part of its keys' names. */
export async function forgetRedis(part: string): Promise<void> {
  const link = await openRedis(REDIS)
  for (const key of await link.redis.keys(`procura:*${part}*`)) await link.redis.del(key)
  await link.close()
}
