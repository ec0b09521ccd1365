/** Shares one piece of work among all who want it at the same time. */
export interface Flights<T> {
  /**
   * The outcome of the work for `key`. Joins work under way; with `fresh` only work that has not begun, else it waits for
   * its turn: what began before the question proves nothing about now. At most one is under way and one waits per key.
   */
  join(key: string, fresh: boolean): Promise<T>
  /** Nobody joins what is under way for `key` any more, and the work learns of it. */
  forget(key: string): void
}

interface Flight<T> {
  begun: boolean
  forgotten: boolean
  readonly landed: Promise<T>
}

/**
 * Failures go to those who joined, and to nobody after them.
 *
 * @param work - asks `isForgotten` before it leaves a trace of its result
 */
export function createFlights<T>(work: (key: string, isForgotten: () => boolean) => Promise<T>): Flights<T> {
  const latest = new Map<string, Flight<T>>()
  return {
    join(key, fresh) {
      const last = latest.get(key)
      if (last !== undefined && !(fresh && last.begun)) return last.landed
      const run = async (): Promise<T> => {
        // yields even without a predecessor, so that all questions of one moment share the answer
        await last?.landed.catch(() => undefined)
        flight.begun = true
        try {
          return await work(key, () => flight.forgotten)
        } finally {
          if (latest.get(key) === flight) latest.delete(key)
        }
      }
      const flight: Flight<T> = { begun: false, forgotten: false, landed: run() }
      latest.set(key, flight)
      return flight.landed
    },
    forget(key) {
      const last = latest.get(key)
      if (last === undefined) return
      last.forgotten = true
      latest.delete(key)
    },
  }
}
