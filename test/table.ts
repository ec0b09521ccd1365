import { isForbiddenHost } from '../src/adapters/resolve/address.js'
import type { GuardedFetch } from '../src/adapters/resolve/fetch.js'
import type { Ids } from '../src/ports/world.js'

/**
 * A network that is a table, for the real adapters above it: what they make of an answer stays true in tests. It refuses
 * what the real one refuses by name; every other URL that is not in the table is a host that is down.
 *
 * @param bodyOf - what stands at the URL, or `null`
 */
export function tableFetch(bodyOf: (url: string) => string | null): GuardedFetch {
  return {
    get(url, { maxBytes }) {
      const { protocol, hostname } = URL.canParse(url) ? new URL(url) : { protocol: '', hostname: '' }
      if (protocol === 'https:' && isForbiddenHost(hostname))
        return Promise.resolve({ kind: 'forbidden', host: hostname })
      const body = protocol === 'https:' ? bodyOf(url) : null
      if (body === null) return Promise.resolve({ kind: 'failed', why: 'no such host' })
      const bytes = Buffer.from(body)
      if (bytes.length > maxBytes) return Promise.resolve({ kind: 'failed', why: `more than ${maxBytes} bytes` })
      return Promise.resolve({ kind: 'content', body: bytes, etag: null })
    },
    close: () => Promise.resolve(),
  }
}

/** Names that can be foretold, no two alike: the first UUID ends in …0000, the first token is all `A`. */
export function countingIds(): Ids {
  let [uuids, tokens] = [0, 0]
  return {
    uuid: () => `0192f5c2-0000-4000-8000-${(uuids++).toString(16).padStart(12, '0')}`,
    token() {
      const bytes = Buffer.alloc(16)
      bytes.writeUInt32BE(tokens++, 12)
      return bytes.toString('base64url')
    },
  }
}
