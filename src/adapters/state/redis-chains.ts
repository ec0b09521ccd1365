import { ProcuraError } from '../../errors.js'
import type { Digest } from '../../encoding.js'
import type { Chains } from '../../ports/deciding.js'
import type { Clock } from '../../ports/world.js'
import { SKEW } from '../../time.js'
import { unavailable } from './redis-epoch.js'
import { scriptOf, type RedisSpace } from './redis-keys.js'

/** Chains kept at once, of at most 64 KiB each: they share the memory with what must not be forgotten. */
const MAX_CHAINS = 4000

/**
 * Keeps a chain if there is room, or it is kept already.
 *
 * KEYS: all chains by their end, the chain. ARGV: now, its digest, its end, how many there may be, its content, for how
 * many milliseconds.
 */
const KEEP = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) and not redis.call('ZSCORE', KEYS[1], ARGV[2]) then
  return {'full'}
end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[2])
redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[6])
return {'kept'}
`

/** Chains by reference, in Redis. What is kept stays until it ends; what is lost with Redis is uploaded again. */
export function redisChains(space: RedisSpace, clock: Clock, max = MAX_CHAINS): Chains {
  const { link, key } = space
  const keepOne = scriptOf(space, 'procuraKeep', KEEP)
  const nameOf = (leaf: Digest): string => key('chain', leaf)
  return {
    async keep(leaf, tokens, until) {
      const now = clock.now()
      const milliseconds = Math.max(until - now + SKEW, 1) * 1000
      const content = JSON.stringify({ tokens, until })
      const [answer] = await unavailable(() =>
        keepOne([key('chains'), nameOf(leaf)], [now, leaf, until, max, content, milliseconds]),
      )
      if (answer === 'full') throw new ProcuraError('CHAINS_FULL', { max })
    },
    find: leaf =>
      unavailable(async () => {
        const content = await link.attempt(() => link.redis.get(nameOf(leaf)))
        if (content === null) return null
        const { tokens, until } = JSON.parse(content) as { readonly tokens: readonly string[]; readonly until: number }
        return until <= clock.now() ? null : tokens
      }),
  }
}
