/**
 * Runs `work` for a name once at a time. Who asks meanwhile shares the next run, which begins after they asked: nobody
 * gets an answer that is older than the question.
 */
export function oneAtATime<A extends unknown[], T>(
  work: (name: string, ...given: A) => Promise<T>,
): (name: string, ...given: A) => Promise<T> {
  const running = new Map<string, Promise<T>>()
  const waiting = new Map<string, Promise<T>>()
  const begin = (name: string, given: A): Promise<T> => {
    waiting.delete(name)
    const run = work(name, ...given).finally(() => {
      if (running.get(name) === run) running.delete(name)
    })
    running.set(name, run)
    return run
  }
  return (name, ...given) => {
    const before = running.get(name)
    if (before === undefined) return begin(name, given)
    const next =
      waiting.get(name) ??
      before.then(
        () => begin(name, given),
        () => begin(name, given),
      )
    waiting.set(name, next)
    return next
  }
}
