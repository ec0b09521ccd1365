import { isSubjectProved, leafOf, requireInTime } from '../delegation/chain.js'
import { toStored } from '../delegation/stored.js'
import { ProcuraError } from '../errors.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'
import type { Own } from './own.js'

/** Hands out status indexes. */
export function createLeases(
  { publicKey, statusBase }: IssuerIdentity,
  { clock, keys, statusRows }: IssuerPorts,
  own: Own,
): Pick<Issuer, 'lease' | 'leaseUnder'> {
  const lease: Issuer['lease'] = async (holder, count) => {
    const { list, indexes } = await statusRows.lease(holder, count)
    return indexes.map(index => ({ url: `${statusBase}${list}`, index }))
  }

  return {
    lease,

    async leaseUnder(chain, by, count) {
      const opened = await own.open(chain)
      requireInTime(opened, clock.now())
      if (leafOf(opened).subject !== by)
        throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: 'lease for another holder' })
      if (!(await isSubjectProved(leafOf(opened), keys))) {
        throw new ProcuraError('KEY_BINDING', { did: by, purpose: 'assertionMethod' })
      }
      for (const one of toStored(opened, chain, publicKey)) {
        if (one.status === null) continue
        const { name, status } = await own.statusOf(one)
        const isRevoked = (await statusRows.revokedIn(name)).includes(status.index)
        if (isRevoked) throw new ProcuraError('STATUS_REVOKED', { index: status.index, list: status.url })
      }
      return lease(by, count)
    },
  }
}
