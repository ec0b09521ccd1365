import { LRUCache } from 'lru-cache'
import { fromBase64url } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { isObject, parseJson } from '../json.js'
import { signJws } from '../jws/compact.js'
import type { StoredList } from '../ports/issuing.js'
import { oneAtATime } from '../sharing.js'
import { bitsOf } from '../status/bitstring.js'
import { RESIGN_AFTER, toListJson } from '../status/list.js'
import { SKEW } from '../time.js'
import type { IssuerIdentity, IssuerPorts } from './issuer.js'
import { requireOnward } from './own.js'

/** Seconds after the end of a list's last credential until the list goes (profile §8.5). */
const RETIRE_AFTER = 3600
/** Seconds after its end until a credential of this issuer is forgotten: so long somebody may ask what it was. */
const FORGET_AFTER = 86_400

/** A status list as it is served. */
export interface PublishedList {
  readonly token: string
  readonly version: number
}

/** Publishes status lists. */
export interface Publisher {
  /**
   * The signed list: published anew if a row changed or it is {@link RESIGN_AFTER} seconds old, but never twice in a
   * second.
   *
   * @throws NOT_FOUND
   */
  list(name: string): Promise<PublishedList>
  /** The version that shows the list as it stood after so many changes; waits for the next second if it must. */
  shown(name: string, changes: number): Promise<number>
  /** Signs what is due, and forgets lists and credentials that nobody needs any more. @returns the names of the lists signed */
  tend(): Promise<readonly string[]>
}

/** Publishes the lists of an issuer; of one list one version at a time, at most one in a second. */
export function createPublisher({ keys, statusBase }: IssuerIdentity, ports: IssuerPorts): Publisher {
  const { clock, credentials, statusRows, marker, nextSecond } = ports

  const headOf = new LRUCache<string, string>({ max: 8 })

  const current = oneAtATime(async name => {
    for (;;) {
      const stored = await statusRows.find(name)
      if (stored === null) throw new ProcuraError('NOT_FOUND', { what: `status list ${name}` })
      const { token, version, signedAt, signedChanges } = stored
      const now = clock.now()
      if (token !== null && (signedAt === now || (!isOutdated(stored, now) && (await isSignedNow(token))))) {
        return { token, version, changes: signedChanges }
      }
      const next = await sign(stored)
      if (next !== null) return next
    }
  })

  /** A key that was dropped in an emergency vouches for no list that is served. */
  async function isSignedNow(token: string): Promise<boolean> {
    const head = token.slice(0, token.indexOf('.'))
    const { kid } = await keys.signer()
    // few keys sign many lists, and each is asked about for each credential
    if (headOf.get(kid) !== head && kidIn(head) === kid) headOf.set(kid, head)
    return headOf.get(kid) === head
  }

  /** From rows read after the list itself: they show at least what it counts. `null` if another was faster. */
  async function sign({ name, purpose, length, version: before, changes }: StoredList) {
    const set = await statusRows.setIn(name)
    const now = clock.now()
    const version = before + 1
    const claims = toListJson(`${statusBase}${name}`, keys.did, bitsOf(length, set), version, now, purpose)
    const token = await signJws(claims, 'vc+jwt', await keys.signer())
    const known = marker.reached
    const sequence = await statusRows.publish(name, token, version, now, changes)
    if (sequence === null) return null
    requireOnward(known, sequence)
    await marker.raise(sequence)
    return { token, version, changes }
  }

  return {
    async list(name) {
      const { token, version } = await current(name)
      return { token, version }
    },

    async shown(name, changes) {
      for (;;) {
        const published = await current(name)
        if (published.changes >= changes) return published.version
        await nextSecond()
      }
    },

    async tend() {
      const now = clock.now()
      await statusRows.retire(now - RETIRE_AFTER)
      while (await ports.transaction(() => credentials.forget(keys.did, now - FORGET_AFTER)));
      const due = await statusRows.due(now - RESIGN_AFTER)
      for (const name of due) await current(name)
      return due
    },
  }
}

/** The key that a token's header names. */
function kidIn(head: string): unknown {
  const { value } = parseJson(fromBase64url(head) ?? new Uint8Array(), 'status list')
  return isObject(value) ? value['kid'] : null
}

/** Also one that a clock ahead of this one signed: nobody takes it before its time has come. */
function isOutdated({ changes, signedChanges, signedAt }: StoredList, now: number): boolean {
  return changes !== signedChanges || now - signedAt >= RESIGN_AFTER || signedAt - now > SKEW
}
