import { isIssuerProved, leafOf, type Chain } from '../delegation/chain.js'
import { storedChain, toStored } from '../delegation/stored.js'
import type { Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { Own } from './own.js'
import type { PublishList } from './publish.js'

/** Takes authority back. */
export function createRevocations(
  { signer, publicKey }: IssuerIdentity,
  ports: IssuerPorts,
  own: Own,
  list: PublishList,
): Issuer['revoke'] {
  const { clock, keys, credentials, statusRows } = ports

  async function tokensOf(name: string): Promise<readonly string[]> {
    const found = (await credentials.find(name)) ?? (await credentials.findRoot(signer.did, name))
    if (found === null) throw new ProcuraError('NOT_FOUND', { what: `credential ${name}` })
    return (await storedChain(credentials, found)).map(({ token }) => token)
  }

  /** True if the DID issued one of the links, and its name is proved there. */
  async function isIssuerOf(chain: Chain, did: Did): Promise<boolean> {
    for (const [index, link] of chain.entries()) {
      if (link.issuer === did && (await isIssuerProved(chain, index, keys))) return true
    }
    return false
  }

  return async (target, by, isAdmin) => {
    const tokens = typeof target === 'string' ? await tokensOf(target) : target
    const chain = await own.open(tokens)
    const leaf = leafOf(chain)
    if (!isAdmin && !(await isIssuerOf(chain, by))) {
      throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: `revoke ${leaf.digest}` })
    }
    if (!(await isIssuerProved(chain, chain.length - 1, keys))) {
      throw new ProcuraError('KEY_BINDING', { did: leaf.issuer, purpose: 'assertionMethod' })
    }
    const stored = toStored(chain, tokens, publicKey)
    const { name, status } = await own.statusOf(stored.at(-1) ?? stored[0])
    await ports.transaction(async () => {
      for (const one of stored) await credentials.save(one)
      await statusRows.revoke(name, status.index, by, clock.now())
    })
    const { version } = await list(name)
    return { digest: leaf.digest, list: status.url, index: status.index, version }
  }
}
