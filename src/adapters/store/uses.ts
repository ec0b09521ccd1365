import { AsyncResource } from 'node:async_hooks'
import type { DataSource } from 'typeorm'
import type { Use } from '../../ports/deciding.js'

interface Waiting {
  readonly use: Use
  readonly resolve: (isFirst: boolean) => void
  readonly reject: (error: unknown) => void
}

/** Written by one statement at most; a power of two, as every group is, so that few statements are prepared. */
const MOST = 64

/**
 * Uses tokens up, each on its own, by one statement for all that are shown while the one before is at work: a commit is
 * dearer than a row. Who is alone waits for nobody.
 */
export class Uses {
  readonly #dataSource: DataSource
  readonly #waiting: Waiting[] = []
  #isWriting = false
  /** in nobody's context: what one left behind would be the others' */
  readonly #begin = AsyncResource.bind(() => void this.#writeAll())

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  /** True for exactly one of all who take it, once it is on the disk. @throws STORAGE_UNAVAILABLE */
  take(use: Use): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ use, resolve, reject })
      if (!this.#isWriting) this.#begin()
    })
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, Math.min(2 ** Math.floor(Math.log2(this.#waiting.length)), MOST))
      try {
        const added = await this.#add(group.map(({ use }) => use))
        // of two in one group the first has it
        for (const { use, resolve } of group) resolve(added.delete(use.key))
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    this.#isWriting = false
  }

  /** Those that did not stand: only rows that are new come back. */
  async #add(uses: readonly Use[]): Promise<Set<string>> {
    const { driver } = this.#dataSource
    const places = uses.map((_, at) => `(${driver.createParameter('', 2 * at)}, ${driver.createParameter('', 2 * at + 1)})`) // prettier-ignore
    // in small letters TypeORM takes it for a question, and hands the rows over
    const sql = `insert into verifier_used("key", "until") values ${places.join(', ')} on conflict do nothing returning "key"`
    const rows = await this.#dataSource.query<readonly { readonly key: string }[]>(
      sql,
      uses.flatMap(({ key, until }) => [key, until]),
    )
    return new Set(rows.map(({ key }) => key))
  }
}
