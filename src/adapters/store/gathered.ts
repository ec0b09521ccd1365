import { AsyncResource } from 'node:async_hooks'

interface Waiting<Q, A> {
  readonly one: Q
  readonly resolve: (answer: A) => void
  readonly reject: (error: unknown) => void
}

/** Of one run at most; a power of two, as every group is, so that few statements are prepared. */
const MOST = 64

/**
 * Does in one run what is asked for while the run before is at work; all get its one answer. Who is alone waits for
 * nobody.
 *
 * @param work - runs in nobody's context: what one left behind would be the others'
 */
export function gathered<Q, A>(work: (all: readonly Q[]) => Promise<A>): (one: Q) => Promise<A> {
  const waiting: Waiting<Q, A>[] = []
  let isRunning = false
  const run = async (): Promise<void> => {
    isRunning = true
    while (waiting.length > 0) {
      const group = waiting.splice(0, Math.min(2 ** Math.floor(Math.log2(waiting.length)), MOST))
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
      if (!isRunning) begin()
    })
}
