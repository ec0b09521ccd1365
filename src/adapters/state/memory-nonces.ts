import type { Nonces } from '../../ports/deciding.js'
import type { Clock, Ids } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import { CAPACITY, SPARE, unavailable, type Sized } from './capacity.js'

/** Seconds a nonce is good for. */
export const NONCE_TTL = 60

/** Nonces handed out by this process. */
export function memoryNonces(clock: Clock, ids: Ids, capacity = CAPACITY): Nonces & Sized {
  const open = new Map<string, UnixSeconds>()
  let left = 0
  let forgotAt = -Infinity
  return {
    get size() {
      return open.size
    },
    issue(self) {
      const now = clock.now()
      if (now > forgotAt && (open.size >= capacity || open.size > 2 * left + SPARE)) {
        forgotAt = now
        for (const [old, until] of open) if (until < now) open.delete(old)
        left = open.size
      }
      if (open.size >= capacity) return Promise.reject(unavailable('too many challenges at once'))
      const nonce = ids.token()
      open.set(`${self} ${nonce}`, now + NONCE_TTL)
      return Promise.resolve(nonce)
    },
    consume(self, nonce) {
      const name = `${self} ${nonce}`
      const until = open.get(name)
      open.delete(name)
      return Promise.resolve(until !== undefined && clock.now() <= until)
    },
    isOpen: (self, nonce) => Promise.resolve(clock.now() <= (open.get(`${self} ${nonce}`) ?? -1)),
  }
}
