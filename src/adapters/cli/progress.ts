/** Where progress is shown. */
export interface ProgressStream {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Milliseconds between two looks: more would be for nobody. */
const PERIOD = 100
const WIDTH = 20

/** Shows how far long work is: a bar, its rate, the time it will still take, and what failed; only on a terminal. */
export function progressOf(
  what: string,
  stream: ProgressStream,
): (done: number, total: number, failed?: number) => void {
  let first: { readonly done: number; readonly at: number } | undefined
  let shown = -PERIOD
  return (done, total, failed = 0) => {
    const now = performance.now()
    if (stream.isTTY !== true || (done < total && now - shown < PERIOD)) return
    shown = now
    first ??= { done, at: now }
    const rate = (done - first.done) / Math.max(0.001, (now - first.at) / 1000)
    const left = rate > 0 ? `, ${Math.ceil(Math.max(0, total - done) / rate)} s left` : ''
    const full = Math.round((Math.min(done, total) / Math.max(1, total)) * WIDTH)
    const bar = `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}]`
    const failures = failed === 0 ? '' : `, ${failed} failed`
    const end = done >= total ? '\n' : ''
    stream.write(`\r${bar} ${done} of ${total} ${what}, ${Math.round(rate)}/s${left}${failures}\u001b[K${end}`)
  }
}
