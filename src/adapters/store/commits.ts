import { AsyncLocalStorage } from 'node:async_hooks'
import type { Commits, Transactions } from '../../ports/world.js'

type Hook = () => Promise<void>

/** Transactions that tell when they took effect. */
export class HookedTransactions implements Commits, Transactions {
  readonly #transactions: Transactions
  readonly #current = new AsyncLocalStorage<Hook[]>()

  constructor(transactions: Transactions) {
    this.#transactions = transactions
  }

  /** True inside the work of a transaction. */
  get inside(): boolean {
    return this.#current.getStore() !== undefined
  }

  /** Runs `work` after the commit, or at once outside of a transaction. */
  async after(work: Hook): Promise<void> {
    const hooks = this.#current.getStore()
    if (hooks === undefined) await work()
    else hooks.push(work)
  }

  /** Nothing begins here any more. */
  end(): void {
    this.#current.disable()
  }

  /** As the one below; an attempt that was undone and begun anew takes its hooks with it. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    if (this.inside) return this.#transactions.transaction(work)
    let hooks: Hook[] = []
    const result = await this.#transactions.transaction(() => this.#current.run((hooks = []), work))
    for (const hook of hooks) await hook()
    return result
  }
}
