/** What stands at the other end of a circuit. */
export interface CircuitOptions {
  /** resolves if the server lives, whatever it thinks of what it is asked; not waited for longer than a second */
  readonly probe: () => Promise<unknown>
  /** makes the error of a call that is refused or let go */
  readonly refusal: (why: string) => Error
  /** calls under way at once */
  readonly most: number
  /** told when the server is found dead */
  readonly onOpen?: () => void
}

/** Milliseconds after which a call that waits has the server asked for a sign of life. */
const DOUBT = 500
/** Milliseconds that the sign may take. */
const PATIENCE = 1000
/** Milliseconds between two signs that a dead server is asked for. */
const PAUSE = 500

/**
 * The calls to one server. While it lives each may take its time. When it gives no sign of life, all that wait are let
 * go, and the next ones are refused at once until it lives again: who asks a dead server waits 1.5 s, and only at first.
 * What was let go may have been done.
 */
export class Circuit {
  readonly #options: CircuitOptions
  readonly #running = new Set<(error: Error) => void>()
  #asking: Promise<boolean> | undefined
  #why: string | null = null
  #next: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: CircuitOptions) {
    this.#options = options
  }

  /** Throws if the server is known to be dead. */
  requireAlive(): void {
    if (this.#why !== null) throw this.#options.refusal(this.#why)
  }

  /** Does `work`; refused if the server is known to be dead, or too much is under way. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.requireAlive()
    if (this.#running.size >= this.#options.most) throw this.#options.refusal('too many calls at once')
    let letGo: (error: Error) => void = () => undefined
    const dead = new Promise<never>((_, reject) => this.#running.add((letGo = reject)))
    const doubt = setInterval(() => void this.#isAlive(), DOUBT)
    try {
      return await Promise.race([work(), dead])
    } finally {
      clearInterval(doubt)
      this.#running.delete(letGo)
    }
  }

  /** No sign of life is asked for any more. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#next)
  }

  /** Asks for a sign of life, and opens the circuit if there is none. */
  #isAlive(): Promise<boolean> {
    return (this.#asking ??= this.#ask().finally(() => (this.#asking = undefined)))
  }

  async #ask(): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no sign of life')), PATIENCE)
    })
    try {
      await Promise.race([this.#options.probe(), late])
      this.#why = null
      return true
    } catch (error) {
      this.#open(error instanceof Error ? error.message : 'no sign of life')
      return false
    } finally {
      clearTimeout(timer)
    }
  }

  #open(why: string): void {
    if (this.#isClosed) return
    const isNews = this.#why === null
    this.#why = why
    for (const letGo of this.#running) letGo(this.#options.refusal(why))
    if (isNews) this.#options.onOpen?.()
    this.#next = setTimeout(() => void this.#isAlive(), PAUSE).unref()
  }
}
