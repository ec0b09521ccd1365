import { setTimeout as pause } from 'node:timers/promises'
import type { RedisSpace } from './redis-keys.js'

/** Tells other processes at once that there is news in the database. It carries none: who misses it looks anyway. */
export interface WakeUps {
  /** Tells the others; where Redis does not answer nobody is told. */
  ring(): void
  close(): Promise<void>
}

/** Milliseconds that one question waits for news. */
const BLOCK = 2000
/** Milliseconds before the next question after one that failed. */
const PAUSE = 1000
/** Entries kept, about. */
const KEPT = 100

/**
 * Wake-ups through a stream, over a connection of its own: reading waits.
 *
 * @param listener - called for news of any process, this one too
 */
export function redisWakeUps({ link, key }: RedisSpace, listener: () => void): WakeUps {
  const stream = key('feed')
  const reader = link.redis.duplicate()
  reader.on('error', () => undefined)
  const closing = new AbortController()

  async function listen(): Promise<void> {
    let last: string | undefined
    while (!closing.signal.aborted) {
      try {
        if (reader.status === 'wait') await reader.connect()
        last ??= (await reader.xrevrange(stream, '+', '-', 'COUNT', 1))[0]?.[0] ?? '0-0'
        const news = (await reader.xread('COUNT', KEPT, 'BLOCK', BLOCK, 'STREAMS', stream, last))?.[0]?.[1]
        last = news?.at(-1)?.[0] ?? last
        if (news !== undefined) listener()
      } catch {
        // a stream that was lost begins anew
        last = undefined
        await pause(PAUSE, undefined, { signal: closing.signal, ref: false }).catch(() => undefined)
      }
    }
  }

  const listening = listen()
  return {
    ring() {
      link.attempt(() => link.redis.xadd(stream, 'MAXLEN', '~', KEPT, '*', 'news', '')).catch(() => undefined)
    },
    async close() {
      closing.abort()
      reader.disconnect()
      await listening
    },
  }
}
