import { type DataSource, MoreThan } from 'typeorm'
import type { Reservations } from '../../ports/issuing.js'
import type { UnixSeconds } from '../../time.js'
import { HoldTable } from './state-entities.js'

/** Reservations of the verifiers on this store. Throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class ReservationRows implements Reservations {
  readonly #dataSource: DataSource

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
  }

  /** Ids of those open at `now` whose facts watch one of the credentials. */
  async on(digests: ReadonlySet<string>, now: UnixSeconds): Promise<readonly string[]> {
    const open = await this.#dataSource.getRepository(HoldTable).findBy({ state: 'open', until: MoreThan(now) })
    return open.filter(({ facts }) => watchedIn(facts).some(digest => digests.has(digest))).map(({ id }) => id)
  }
}

/** Digests of what a reservation depends on; the facts are the verifier's own JSON. */
function watchedIn(facts: string): readonly string[] {
  const { watched } = JSON.parse(facts) as { readonly watched: readonly { readonly digest: string }[] }
  return watched.map(({ digest }) => digest)
}
