import type { Digest } from '../encoding.js'
import type { GrantUse, Holdings } from '../ports/holding.js'
import type { UnixSeconds } from '../time.js'

/** Counts of uses on their way into storage. */
export interface Uses {
  /** Takes note; storage follows on its own, and what fails there fails no call. */
  note(digest: Digest, uses: readonly Pick<GrantUse, 'grant' | 'action'>[], now: UnixSeconds): void
  /** Resolves when all that was noted is stored, or was tried. */
  settled(): Promise<void>
}

/** Distinct counts that wait while storage cannot be written; more are not kept. */
const MAX_WAITING = 10_000

/** Writes in batches: what is noted while one is under way makes up the next. */
export function createUses(holdings: Pick<Holdings, 'use'>): Uses {
  const waiting = new Map<string, GrantUse>()
  let writing: Promise<void> | null = null

  function add(use: GrantUse): void {
    const key = `${use.digest} ${use.grant} ${use.action}`
    const before = waiting.get(key)
    if (before === undefined && waiting.size === MAX_WAITING) return
    waiting.set(key, { ...use, times: use.times + (before?.times ?? 0), last: Math.max(use.last, before?.last ?? 0) })
  }

  async function write(): Promise<void> {
    // yields first, so that all that is noted at one moment is one batch
    await Promise.resolve()
    while (waiting.size > 0) {
      const batch = [...waiting.values()]
      waiting.clear()
      try {
        await holdings.use(batch)
      } catch {
        // they are tried again with the next
        batch.forEach(add)
        return
      }
    }
  }

  function start(): Promise<void> {
    writing ??= write().finally(() => (writing = null))
    return writing
  }

  return {
    note(digest, uses, now) {
      for (const { grant, action } of uses) add({ digest, grant, action, times: 1, last: now })
      void start()
    },
    settled: () => start(),
  }
}
