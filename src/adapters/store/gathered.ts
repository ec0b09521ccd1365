import { AsyncResource } from 'node:async_hooks'

interface Waiting<Q, A> {
  readonly one: Q
  readonly resolve: (answer: A) => void
  readonly reject: (error: unknown) => void
}

/** Of one run at most. */
const MOST = 64

/**
 * Does in one run what is asked for in one turn of the event loop, or while the run before is at work; all get its one
 * answer. Who is alone waits for nobody.
 *
 * @param work - runs in nobody's context: what one left behind would be the others'
 */
export function gathered<Q, A>(work: (all: readonly Q[]) => Promise<A>): (one: Q) => Promise<A> {
  const waiting: Waiting<Q, A>[] = []
  let isRunning = false
  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = waiting.splice(0, MOST)
      try {
        const answer = await work(group.map(({ one }) => one))
        for (const { resolve } of group) resolve(answer)
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    isRunning = false
  }
  const begin = AsyncResource.bind(() => void run())
  return one =>
    new Promise((resolve, reject) => {
      waiting.push({ one, resolve, reject })
      if (isRunning) return
      isRunning = true
      setImmediate(begin)
    })
}

/** All of them, and the last one again up to a power of two: few statements are prepared then. */
export function filled<T>(all: readonly T[]): readonly T[] {
  const size = all.length === 0 ? 0 : 2 ** Math.ceil(Math.log2(all.length))
  return [...all, ...all.slice(-1).flatMap(last => Array.from({ length: size - all.length }, () => last))]
}
