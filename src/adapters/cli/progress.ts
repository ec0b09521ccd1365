/** Where progress is shown. */
export interface ProgressStream {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Shows how far long work is, with its rate and the time it will still take; only on a terminal. */
export function progressOf(what: string, stream: ProgressStream): (done: number, total: number) => void {
  let first: { readonly done: number; readonly at: number } | undefined
  return (done, total) => {
    if (stream.isTTY !== true) return
    first ??= { done, at: performance.now() }
    const rate = (done - first.done) / Math.max(0.001, (performance.now() - first.at) / 1000)
    const left = rate > 0 ? `, ${Math.ceil((total - done) / rate)} s left` : ''
    stream.write(`\r${done} of ${total} ${what}, ${Math.round(rate)}/s${left}\u001b[K${done >= total ? '\n' : ''}`)
  }
}
