import type { Issuer } from '../issuer/issuer.js'

/** Milliseconds between two looks: a list is signed anew at most this much after it is due. */
const PERIOD = 10_000

/** Keeps the lists of an issuer signed and up to date, whether or not anybody asks for them. Returns what ends it. */
export function keepPublished(issuer: Pick<Issuer, 'tend'>, onDefect: (error: unknown) => void): () => Promise<void> {
  let tending: Promise<unknown> | undefined
  const timer = setInterval(() => {
    tending ??= issuer
      .tend()
      .catch(onDefect)
      .finally(() => (tending = undefined))
  }, PERIOD)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await tending
  }
}
