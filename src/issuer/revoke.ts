import { leafOf } from '../delegation/chain.js'
import { isStoredIssuerProved, storedChain, toStored, type StoredChain } from '../delegation/stored.js'
import type { Did } from '../did/did.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { StoredCredential } from '../ports/issuing.js'
import { treeOf } from './blast.js'
import { AT_ONCE, type Batch, type Changed, type Changes } from './change.js'
import type { Blast, Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { OpenOwn } from './own.js'

/** What is to be revoked: digest or id of a credential kept here, or tokens root → the one to revoke. */
export type Target = string | readonly string[]

interface Found {
  readonly chain: StoredChain
  readonly leaf: StoredCredential
  /** the service sees it for the first time */
  readonly isNew: boolean
}

/** Takes authority back, credential by credential. */
export function createRevocations(
  { keys: own }: IssuerIdentity,
  { clock, keys, credentials, reservations }: IssuerPorts,
  open: OpenOwn,
  changes: Changes,
): Pick<Issuer, 'change' | 'changeAll' | 'blastOf' | 'revoke'> {
  async function find(target: Target): Promise<Found> {
    if (typeof target !== 'string') {
      const { chain: opened, rootKey } = await open(target)
      const chain = toStored(opened, target, rootKey)
      const leaf = chain.find(({ digest }) => digest === leafOf(opened).digest) ?? chain[0]
      return { chain, leaf, isNew: true }
    }
    const leaf = (await credentials.find(target)) ?? (await credentials.findRoot(own.did, target))
    if (leaf === null) throw new ProcuraError('NOT_FOUND', { what: `credential ${target}` })
    const chain = await storedChain(credentials, leaf)
    if (chain[0].issuer !== own.did) throw new ProcuraError('ROOT_UNTRUSTED', { root: chain[0].issuer })
    return { chain, leaf, isNew: false }
  }

  /** An issuer of one of the links, or an admin; and the name that the index was leased to is proved. */
  async function requireMayChange({ chain, leaf }: Found, by: Did, isAdmin: boolean): Promise<void> {
    if (!isAdmin && !(await isIssuerOf(chain, by))) {
      throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: `revoke ${leaf.digest}` })
    }
    if (!(await isStoredIssuerProved(leaf, keys))) {
      throw new ProcuraError('KEY_BINDING', { did: leaf.issuer, purpose: 'assertionMethod' })
    }
  }

  /** True if the DID issued one of the links, and its name is proved there. */
  async function isIssuerOf(chain: StoredChain, did: Did): Promise<boolean> {
    for (const link of chain) {
      if (link.issuer === did && (await isStoredIssuerProved(link, keys))) return true
    }
    return false
  }

  async function allowed(target: Target, by: Did, isAdmin: boolean): Promise<Found> {
    const found = await find(target)
    await requireMayChange(found, by, isAdmin)
    return found
  }

  async function below(roots: readonly StoredCredential[]): Promise<readonly StoredCredential[]> {
    const seen = new Set(roots.map(({ digest }) => digest))
    const all: StoredCredential[] = []
    for (let level = [...seen]; level.length > 0;) {
      const next = (await credentials.below(level, clock.now())).filter(({ digest }) => !seen.has(digest))
      for (const one of next) seen.add(one.digest)
      all.push(...next)
      level = next.map(({ digest }) => digest)
    }
    return all
  }

  const change: Issuer['change'] = async (target, how, by, isAdmin) => {
    const { chain, leaf, isNew } = await allowed(target, by, isAdmin)
    const [changed] = await changes.apply([{ credentials: [leaf], save: isNew ? chain : [] }], how, by)
    if (changed === undefined || isProcuraError(changed)) throw changed ?? new ProcuraError('INTERNAL', {})
    return changed
  }

  return {
    change,
    revoke: (target, by, isAdmin) => change(target, 'revoke', by, isAdmin),

    async changeAll(targets, how, by, isAdmin, onDone) {
      const refusals = new Map<number, ProcuraError>()
      const batches = async function* (): AsyncGenerator<Batch> {
        for (let from = 0; from < targets.length; from += AT_ONCE) {
          const found = await Promise.all(
            targets.slice(from, from + AT_ONCE).map((target, n) =>
              allowed(target, by, isAdmin).catch((error: unknown) => {
                if (!isProcuraError(error)) throw error
                refusals.set(from + n, error)
                return null
              }),
            ),
          )
          const good = found.filter(one => one !== null)
          yield {
            credentials: good.map(({ leaf }) => leaf),
            save: good.flatMap(({ chain, isNew }) => (isNew ? chain : [])),
          }
        }
      }
      const changed = (await changes.apply(batches(), how, by, onDone))[Symbol.iterator]()
      return targets.map((_, n) => refusals.get(n) ?? (changed.next().value as Changed))
    },

    async blastOf(targets, by, isAdmin): Promise<Blast> {
      const roots: StoredCredential[] = []
      for (const target of targets) roots.push((await allowed(target, by, isAdmin)).leaf)
      const all = [...roots, ...(await below(roots))]
      const digests = new Set<string>(all.map(({ digest }) => digest))
      return {
        credentials: [...digests],
        descendants: digests.size - new Set(roots.map(({ digest }) => digest)).size,
        agents: [...new Set(all.map(({ subject }) => subject))],
        reservations: await reservations.on(digests, clock.now()),
        tree: treeOf([...new Map(all.map(one => [one.digest, one])).values()]),
      }
    },
  }
}
