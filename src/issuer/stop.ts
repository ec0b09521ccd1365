import { isStoredIssuerProved } from '../delegation/stored.js'
import type { Did } from '../did/did.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { StoredCredential } from '../ports/issuing.js'
import { batchesOf, doneOf, type Changes, type StatusChange } from './change.js'
import type { Issuer, IssuerIdentity, IssuerPorts } from './issuer.js'

/** Later than anything. */
const EVER = Number.MAX_SAFE_INTEGER

/** Takes everything back that concerns one agent or one issuer. */
export function createStops(
  { keys: self, statusBase }: IssuerIdentity,
  { clock, credentials, keys, statusRows }: IssuerPorts,
  changes: Changes,
): Pick<Issuer, 'concerning' | 'kill' | 'suspendSubject' | 'resumeSubject' | 'revokeIssuedBefore'> {
  /**
   * Only where the issuer's name is proved: an index belongs to whom it was leased to. A name whose document cannot be
   * had proves nothing; whoever hosts it keeps nobody from being stopped.
   */
  async function proved(all: readonly StoredCredential[]): Promise<readonly StoredCredential[]> {
    const answers = await Promise.all(all.map(one => isStoredIssuerProved(one, keys).catch(asUnproved)))
    const found = all.filter((_, index) => answers[index])
    return [...new Map(found.map(one => [one.digest, one])).values()]
  }

  async function concerned(did: Did): Promise<readonly StoredCredential[]> {
    const now = clock.now()
    return proved([...(await credentials.heldBy(did, now)), ...(await credentials.issuedBy(did, EVER, now))])
  }

  const ofSubject = (how: StatusChange) => async (did: Did, by: Did) => {
    const held = await credentials.heldBy(did, clock.now())
    const own = held.filter(({ issuer, parent, suspension }) => issuer === self.did && parent === null && suspension !== null) // prettier-ignore
    return doneOf(await changes.apply(batchesOf(own), how, by))
  }

  return {
    concerning: async did => (await concerned(did)).map(({ digest }) => digest),

    async kill(did, by) {
      const killed = { type: 'killed', target: did, status: null, version: null } as const
      return doneOf(await changes.apply(batchesOf(await concerned(did), [killed]), 'revoke', by))
    },

    suspendSubject: ofSubject('suspend'),
    resumeSubject: ofSubject('resume'),

    async revokeIssuedBefore(issuer, before, by, isAdmin) {
      if (!isAdmin && by !== issuer) {
        throw new ProcuraError('CALLER_FORBIDDEN', { caller: by, what: `revoke what ${issuer} issued` })
      }
      const now = clock.now()
      const issued = await credentials.issuedBy(issuer, EVER, now)
      const earlier = await proved(issued.filter(({ issuedAt }) => issuedAt < before))
      const revoked = doneOf(await changes.apply(batchesOf(earlier), 'revoke', by))
      // an index that its issuer leased may stand in a credential this service never saw; its own it has all seen
      const later = new Set(
        issued.flatMap(({ issuedAt, status }) =>
          issuedAt < before || status === null ? [] : [`${status.url}#${status.index}`],
        ),
      )
      const leased = issuer === self.did ? [] : await statusRows.leasedTo(issuer, 'revocation', before)
      let unseen = 0
      for (const { list, indexes } of leased) {
        const due = indexes.filter(index => !later.has(`${statusBase}${list}#${index}`))
        await changes.setUnseen(list, due, by)
        unseen += due.length
      }
      return { revoked, unseen }
    },
  }
}

/** What the world would not say of a name is no proof of it; what storage could not say is another matter. */
function asUnproved(error: unknown): false {
  if (isProcuraError(error) && /^(DID|KEY)_/.test(error.code)) return false
  throw error
}
