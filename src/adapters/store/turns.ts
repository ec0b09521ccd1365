import { ProcuraError } from '../../errors.js'

/** How long an operation waits for a connection before it is refused, in milliseconds. */
const PATIENCE = 30_000
/** Operations that wait at once. */
const MOST = 10_000

/** Grants connections, each to one operation at a time, in the order of asking. */
export class Turns {
  readonly #what: string
  readonly #connections: number
  readonly #patience: number
  /** what grants a turn to each that waits, or refuses it; first come first */
  readonly #waiting = new Set<(refusal?: Error) => void>()
  readonly #draining: (() => void)[] = []
  #taken = 0
  #refusal: string | null = null

  /**
   * @param what - names the storage in errors
   * @param connections - how many there are
   * @param patience - milliseconds
   */
  constructor(what: string, connections: number, patience = PATIENCE) {
    this.#what = what
    this.#connections = connections
    this.#patience = patience
  }

  /**
   * Waits for a turn.
   *
   * @returns what the caller calls when it is done; calling it again does nothing
   * @throws STORAGE_UNAVAILABLE - refused, too many wait, or the wait was too long: operations that wait for each other end here
   */
  async take(): Promise<() => void> {
    if (this.#refusal !== null) throw this.#unavailable(this.#refusal)
    if (this.#taken < this.#connections) this.#taken += 1
    else if (this.#waiting.size < MOST) await this.#wait()
    else throw this.#unavailable(`${MOST} operations wait`)
    let isOver = false
    return () => {
      if (!isOver) this.#end()
      isOver = true
    }
  }

  /** Refuses every turn that is asked for from now on. Turns already asked for are still granted. */
  refuse(why: string): void {
    this.#refusal ??= why
  }

  /** Refuses all that wait now: nothing will end soon. */
  dismiss(refusal: Error): void {
    for (const answer of this.#waiting) answer(refusal)
    this.#waiting.clear()
  }

  /** Resolves when every turn is over. */
  drained(): Promise<void> {
    if (this.#taken === 0) return Promise.resolve()
    return new Promise(resolve => this.#draining.push(resolve))
  }

  #wait(): Promise<void> {
    return new Promise((resolve, reject) => {
      const answer = (refusal?: Error): void => {
        clearTimeout(timer)
        if (refusal === undefined) resolve()
        else reject(refusal)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(answer)
        reject(this.#unavailable(`busy for ${this.#patience / 1000} s`))
      }, this.#patience)
      this.#waiting.add(answer)
    })
  }

  #end(): void {
    const [next] = this.#waiting
    if (next !== undefined) {
      this.#waiting.delete(next)
      next()
      return
    }
    this.#taken -= 1
    if (this.#taken === 0) for (const tell of this.#draining.splice(0)) tell()
  }

  #unavailable(why: string): ProcuraError {
    return new ProcuraError('STORAGE_UNAVAILABLE', { why: `${this.#what}: ${why}` })
  }
}
