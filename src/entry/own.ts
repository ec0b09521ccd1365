import { LRUCache } from 'lru-cache'
import type { Store } from '../adapters/store/store.js'
import type { Did } from '../did/did.js'
import { toDidDocument } from '../did/document.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { Issuer } from '../issuer/issuer.js'
import type { JsonObject } from '../json.js'
import type { Revocations, Snapshot, StatusLists } from '../ports/deciding.js'
import type { Outbox } from '../ports/issuing.js'
import type { IssuingKeys } from '../ports/keys.js'
import type { Together } from './together.js'

/** A DID document that names its DID. */
export type OwnDocument = JsonObject & { readonly id: Did }

/** What is announced to others, verifiers on this database know in the same transaction; `told` right after it. */
export function announcing(
  { outbox, commits }: Store,
  revocations: Revocations,
  signer: Did,
  told: () => void,
): Pick<Outbox, 'append'> {
  return {
    async append(all, at) {
      for (const { type, target } of all) if (type === 'killed') await revocations.learn({ target, signer })
      await outbox.append(all, at)
      await commits.after(() => {
        told()
        return Promise.resolve()
      })
    },
  }
}

/** Own lists that are kept unpacked; those read longest ago go, retired ones among them. */
const MAX_LISTS = 100

/**
 * Lists of this service are read where they are made; nobody asks himself over the network.
 *
 * @param together - decisions that ask for a list together, unless they want it as it is now
 */
export function withOwnLists(
  issuer: Pick<Issuer, 'list'>,
  statusBase: string,
  others: StatusLists,
  together: Together,
): StatusLists {
  const snapshots = new LRUCache<string, Snapshot>({ max: MAX_LISTS })
  return {
    async read(url, maxAge) {
      if (!url.startsWith(statusBase)) return others.read(url, maxAge)
      const list = async () => {
        const { token } = await issuer.list(url.slice(statusBase.length)).catch((cause: unknown) => {
          const why = isProcuraError(cause) ? cause.code : 'it cannot be signed'
          throw new ProcuraError('STATUS_UNAVAILABLE', { list: url, why }, { cause })
        })
        return { token, answered: performance.now() }
      }
      const shared = await (maxAge === 0 ? list() : together.ask(`list ${url}`, list))
      const { token, answered } = secondsSince(shared.answered) <= maxAge ? shared : await list()
      const before = snapshots.get(url)
      const snapshot = before?.token === token ? before : { token }
      snapshots.set(url, snapshot)
      return { snapshot, age: secondsSince(answered) }
    },
  }
}

/** Whole seconds. @param moment - of `performance.now()` */
function secondsSince(moment: number): number {
  return Math.floor((performance.now() - moment) / 1000)
}

/** The document of who issues here: the same object as long as it lists the same keys, which their names tell. */
export function ownDocument({ did, listed }: Pick<IssuingKeys, 'did' | 'listed'>): () => Promise<OwnDocument> {
  let last = { names: '', document: { ...toDidDocument(did, []), id: did } }
  return async () => {
    const keys = await listed()
    const names = keys.map(({ kid }) => kid).join(' ')
    if (names !== last.names) last = { names, document: { ...toDidDocument(did, keys), id: did } }
    return last.document
  }
}
