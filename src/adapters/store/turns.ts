import { ProcuraError } from '../../errors.js'

/** How long an operation waits for the connection before it is refused, in milliseconds. */
const PATIENCE = 30_000

/** Grants one connection to one operation at a time, in the order of asking. */
export class Turns {
  readonly #what: string
  readonly #patience: number
  #last: Promise<void> = Promise.resolve()
  #refusal: string | null = null

  /**
   * @param what - names the connection in errors
   * @param patience - milliseconds
   */
  constructor(what: string, patience = PATIENCE) {
    this.#what = what
    this.#patience = patience
  }

  /**
   * Waits for the turn.
   *
   * @returns what the caller calls when it is done
   * @throws STORAGE_UNAVAILABLE - refused, or the wait was too long: two operations that wait for each other end here
   */
  async take(): Promise<() => void> {
    if (this.#refusal !== null) throw this.#unavailable(this.#refusal)
    const before = this.#last
    let end: () => void = () => undefined
    this.#last = new Promise(resolve => (end = resolve))
    if (await within(before, this.#patience)) return end
    void before.then(end)
    throw this.#unavailable(`busy for ${this.#patience / 1000} s`)
  }

  /** Refuses every turn that is asked for from now on. Turns already asked for are still granted. */
  refuse(why: string): void {
    this.#refusal ??= why
  }

  /** Resolves when every turn asked for so far is over. */
  async drained(): Promise<void> {
    await this.#last
  }

  #unavailable(why: string): ProcuraError {
    return new ProcuraError('STORAGE_UNAVAILABLE', { why: `${this.#what}: ${why}` })
  }
}

function within(promise: Promise<void>, milliseconds: number): Promise<boolean> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(false), milliseconds)
    void promise.then(() => {
      clearTimeout(timer)
      resolve(true)
    })
  })
}
