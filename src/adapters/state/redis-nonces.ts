import type { Nonces } from '../../ports/deciding.js'
import type { Clock, Ids } from '../../ports/world.js'
import { SKEW } from '../../time.js'
import { NONCE_TTL } from './memory-nonces.js'
import { unavailable } from './redis-epoch.js'
import type { RedisSpace } from './redis-keys.js'

/** Challenges in Redis. One that is lost with it was never handed out. */
export function redisNonces({ link, key }: RedisSpace, clock: Clock, ids: Ids): Nonces {
  const nameOf = (self: string, nonce: string): string => key('nonce', `${self} ${nonce}`)
  const isInTime = (until: string | null): boolean => until !== null && clock.now() <= Number(until)
  return {
    issue: self =>
      unavailable(async () => {
        const nonce = ids.token()
        const until = clock.now() + NONCE_TTL
        await link.attempt(() => link.redis.set(nameOf(self, nonce), until, 'EX', NONCE_TTL + SKEW))
        return nonce
      }),
    consume: (self, nonce) =>
      unavailable(async () => isInTime(await link.attempt(() => link.redis.getdel(nameOf(self, nonce))))),
    isOpen: (self, nonce) =>
      unavailable(async () => isInTime(await link.attempt(() => link.redis.get(nameOf(self, nonce))))),
  }
}
