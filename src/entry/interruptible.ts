const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Runs what may be interrupted: the first signal asks it to end, the second one ends the process. */
export async function interruptible<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const abort = (): void => {
    for (const signal of SIGNALS) process.off(signal, abort)
    stop.abort()
  }
  for (const signal of SIGNALS) process.on(signal, abort)
  try {
    return await run(stop.signal)
  } finally {
    for (const signal of SIGNALS) process.off(signal, abort)
  }
}
