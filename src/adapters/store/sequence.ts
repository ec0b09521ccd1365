/** Runs one thing after the other, in the order of asking, whether or not the ones before succeeded. */
export class Sequence {
  #last: Promise<unknown> = Promise.resolve()

  /** Runs `work` when everything before it has ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => undefined)
    return result
  }

  /** Resolves when nothing runs any more, also of what was added meanwhile. */
  async settled(): Promise<void> {
    for (let last: unknown; last !== this.#last;) {
      last = this.#last
      await this.#last
    }
  }
}
