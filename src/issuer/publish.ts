import { ProcuraError } from '../errors.js'
import { signJws } from '../jws/compact.js'
import type { StoredList } from '../ports.js'
import { bitsOf } from '../status/bitstring.js'
import { RESIGN_AFTER, toListJson } from '../status/list.js'
import type { IssuerIdentity, IssuerPorts } from './issuer.js'

/** A status list as it is served. */
export interface PublishedList {
  readonly token: string
  readonly version: number
}

/** The signed list, published anew if a row changed or it is {@link RESIGN_AFTER} seconds old. @throws NOT_FOUND */
export type PublishList = (name: string) => Promise<PublishedList>

/** Publishes status lists; of one list one version at a time. */
export function createPublisher({ signer, statusBase }: IssuerIdentity, ports: IssuerPorts): PublishList {
  const { clock, statusRows } = ports
  const publishing = new Map<string, Promise<PublishedList>>()

  async function publish(name: string): Promise<PublishedList> {
    for (;;) {
      const stored = await statusRows.find(name)
      if (stored === null) throw new ProcuraError('NOT_FOUND', { what: `status list ${name}` })
      if (stored.token !== null && !isOutdated(stored)) return { token: stored.token, version: stored.version }
      const indexes = await statusRows.revokedIn(name)
      const now = clock.now()
      const version = stored.version + 1
      const claims = toListJson(`${statusBase}${name}`, signer.did, bitsOf(stored.length, indexes), version, now)
      const token = await signJws(claims, 'vc+jwt', signer)
      if (await statusRows.publish(name, token, version, now, indexes.length)) return { token, version }
    }
  }

  function isOutdated({ revoked, signedRevoked, signedAt }: StoredList): boolean {
    return revoked !== signedRevoked || clock.now() - signedAt >= RESIGN_AFTER
  }

  return name => {
    const running = publishing.get(name)
    if (running !== undefined) return running.then(() => publish(name))
    const work = publish(name).finally(() => publishing.delete(name))
    publishing.set(name, work)
    return work
  }
}
