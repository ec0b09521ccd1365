import type { Did } from '../did/did.js'
import type { Digest } from '../encoding.js'
import { isProcuraError, type ProcuraError } from '../errors.js'
import type { Announcement, StatusPurpose, StoredCredential } from '../ports/issuing.js'
import type { IssuerIdentity, IssuerPorts, Revoked } from './issuer.js'
import { byList, type Placed, type Places } from './places.js'
import type { UnixSeconds } from '../time.js'
import type { Publisher } from './publish.js'

/** What can be done to a credential's status. Revoking is for ever; a suspension is lifted by resuming. */
export type StatusChange = 'revoke' | 'suspend' | 'resume'

interface Meaning {
  readonly purpose: StatusPurpose
  readonly to: 'set' | 'cleared'
  readonly type: Announcement['type']
}

const MEANING: Readonly<Record<StatusChange, Meaning>> = {
  revoke: { purpose: 'revocation', to: 'set', type: 'revoked' },
  suspend: { purpose: 'suspension', to: 'set', type: 'suspended' },
  resume: { purpose: 'suspension', to: 'cleared', type: 'resumed' },
}

/** Credentials changed in one transaction, and indexes on one record. */
export const AT_ONCE = 500

/** What is changed in one transaction. */
export interface Batch {
  readonly credentials: readonly StoredCredential[]
  /** links of chains that this service had not seen, to be kept along */
  readonly save?: readonly StoredCredential[]
  readonly announce?: readonly Announcement[]
}

/** How a change of one credential ended. */
export type Changed = Revoked | ProcuraError

/** Changes the status of credentials that the caller may change. */
export interface Changes {
  /**
   * Each credential's change, put on record, done and announced; answered when published lists show it. Doing it again
   * is the same as once. If the process ends in between, calling again does the rest.
   *
   * Inside a transaction the answer comes at once, with version 0, and the commit waits for the lists.
   *
   * @param batches - each a transaction, done when the next is asked for
   * @returns in the order of the credentials
   */
  apply(
    batches: AsyncIterable<Batch> | Iterable<Batch>,
    change: StatusChange,
    by: Did,
    onDone?: (done: number) => void,
  ): Promise<readonly Changed[]>
  /** Sets bits of revocation that no credential known here uses. */
  setUnseen(list: string, indexes: readonly number[], by: Did): Promise<void>
}

/** Credentials in batches of a transaction each; what is announced along comes with the first. */
export function* batchesOf(
  credentials: readonly StoredCredential[],
  announce: readonly Announcement[] = [],
): Generator<Batch> {
  yield { credentials: credentials.slice(0, AT_ONCE), announce }
  for (let from = AT_ONCE; from < credentials.length; from += AT_ONCE) {
    yield { credentials: credentials.slice(from, from + AT_ONCE) }
  }
}

/** Those that were done. */
export function doneOf(all: readonly Changed[]): readonly Revoked[] {
  return all.filter((one): one is Revoked => !isProcuraError(one))
}

/** Changes rows, tells the audit log and the outbox, and waits for the lists. */
export function createChanges(
  { statusBase }: IssuerIdentity,
  ports: IssuerPorts,
  places: Places,
  publisher: Publisher,
): Changes {
  const { audit, clock, credentials, statusRows, outbox, onShown = () => undefined } = ports

  /** Inside a transaction. The record comes first: what cannot be recorded is not done. */
  async function write(
    list: string,
    indexes: readonly number[],
    digests: readonly Digest[],
    change: StatusChange,
    by: Did,
  ): Promise<number> {
    const { to } = MEANING[change]
    const at = clock.now()
    const told = { type: 'status', change, at, by, list: `${statusBase}${list}` }
    for (let from = 0; from < indexes.length; from += AT_ONCE) {
      const part = { indexes: indexes.slice(from, from + AT_ONCE), digests: digests.slice(from, from + AT_ONCE) }
      await audit.record({ ...told, ...part })
    }
    return to === 'set' ? statusRows.set(list, indexes, by, at) : statusRows.clear(list, indexes)
  }

  /** Those whose bit does not stand as it should. */
  async function fresh(placed: readonly Placed[], { to }: Meaning): Promise<readonly Placed[]> {
    const standing = new Set<string>()
    for (const [url, indexes] of byList(placed.map(({ place }) => place))) {
      const set = await statusRows.setAmong(url.slice(statusBase.length), indexes)
      for (const index of indexes) if (set.has(index) === (to === 'set')) standing.add(`${url}#${index}`)
    }
    return placed.filter(({ place: { url, index } }) => !standing.has(`${url}#${index}`))
  }

  /** @returns for each list the number of the change to wait for */
  function changeAll(placed: readonly Placed[], change: StatusChange, by: Did, { save = [], announce = [] }: Batch) {
    return ports.transaction(async () => {
      const meaning = MEANING[change]
      const reached = new Map<string, number>()
      for (const one of save) await credentials.save(one)
      const due = await fresh(placed, meaning)
      for (const [url, indexes] of byList(due.map(({ place }) => place))) {
        const list = url.slice(statusBase.length)
        const digests = due.filter(({ place }) => place.url === url).map(({ credential }) => credential.digest)
        reached.set(list, await write(list, indexes, digests, change, by))
      }
      const announced = due.map(({ credential: { digest }, place }) => {
        return { type: meaning.type, target: digest, status: place, version: null }
      })
      await outbox.append([...announced, ...announce], clock.now())
      return reached
    })
  }

  /** A list in which everything stood as it should may still wait to be published: what it shows now is asked for. */
  async function changesOf(list: string): Promise<number> {
    return (await statusRows.find(list))?.changes ?? 0
  }

  return {
    async apply(batches, change, by, onDone = () => undefined) {
      const found: (Placed | ProcuraError)[] = []
      const reached = new Map<string, number>()
      const since = new Map<string, UnixSeconds>()
      for await (const batch of batches) {
        const some = await places.find(batch.credentials, MEANING[change].purpose)
        const placed = some.filter((one): one is Placed => !isProcuraError(one))
        const now = clock.now()
        for (const [list, changes] of await changeAll(placed, change, by, batch)) {
          reached.set(list, changes)
          if (!since.has(list)) since.set(list, now)
        }
        found.push(...some)
        onDone(found.length)
      }
      const versions = new Map<string, number>()
      const lists = new Set(found.flatMap(one => (isProcuraError(one) ? [] : [one.list])))
      // inside a transaction nothing is shown yet, and signing would hold it up
      await ports.commits.after(async () => {
        await Promise.all(
          [...lists].map(async list => {
            versions.set(list, await publisher.shown(list, reached.get(list) ?? (await changesOf(list))))
            const began = since.get(list)
            if (began !== undefined && MEANING[change].to === 'set') onShown(began)
          }),
        )
      })
      return found.map(one => {
        if (isProcuraError(one)) return one
        const { credential, place, list } = one
        return { digest: credential.digest, list: place.url, index: place.index, version: versions.get(list) ?? 0 }
      })
    },

    async setUnseen(list, indexes, by) {
      if (indexes.length === 0) return
      await publisher.shown(list, await ports.transaction(() => write(list, indexes, [], 'revoke', by)))
    },
  }
}
