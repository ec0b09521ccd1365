import { ProcuraError } from '../errors.js'
import type { JsonObject } from '../json.js'
import type { HostedDids, HostedKey } from '../ports/register.js'
import { didOf, isDid, type Did } from './did.js'
import { MAX_METHODS, toDidDocument } from './document.js'
import { didWebAt, didWebUrl, isWebDid } from './web.js'

/** Documents of long-lived agents under paths of a service: `did:web:host:agents:planner`. */
export interface Hosting {
  /** the service's own; names below it can be hosted */
  readonly did: Did
  /**
   * Publishes the document of a DID below the service's own. Replaces the keys that stood there.
   *
   * @param keys - 1 to {@link MAX_METHODS}, key ids of this DID, each once
   * @throws SCHEMA - a DID that is not below, a place the service needs itself, other keys; STORAGE_UNAVAILABLE
   */
  publish(did: Did, keys: readonly HostedKey[]): Promise<void>
  /** Takes the document away: nobody resolves the DID any more once copies ended (300 s). True if there was one. */
  withdraw(did: Did): Promise<boolean>
  /** The document, or `null` if it is not of this service, or there is none. @throws STORAGE_UNAVAILABLE */
  document(did: Did): Promise<JsonObject | null>
  /** The document that stands at a path, as the client wrote it. @throws STORAGE_UNAVAILABLE */
  documentAt(path: string): Promise<JsonObject | null>
}

/** First segments that are the service's own. */
const RESERVED = new Set(['.well-known', 'v1', 'docs'])

/**
 * Hosting below a service's DID.
 *
 * @param service - `did:web:host`, without a path
 */
export function createHosting(service: Did, hosted: HostedDids): Hosting {
  const origin = didWebUrl(service).slice(0, -'/.well-known/did.json'.length)
  const isBelow = (did: Did): boolean => did.startsWith(`${service}:`)

  async function document(did: Did): Promise<JsonObject | null> {
    const keys = isBelow(did) ? await hosted.find(did) : null
    return keys === null ? null : toDidDocument(did, keys)
  }

  return {
    did: service,
    document,

    async publish(did, keys) {
      requireHostable(did)
      requireKeys(did, keys)
      await hosted.publish(did, keys)
    },

    withdraw: async did => isBelow(did) && hosted.withdraw(did),

    async documentAt(path) {
      const did = didWebAt(origin + path)
      return did === null ? null : document(did)
    },
  }

  function requireHostable(did: Did): void {
    const [first = ''] = did.slice(service.length + 1).split(':')
    if (!isBelow(did) || RESERVED.has(first)) {
      throw new ProcuraError('SCHEMA', { at: 'did', why: `is not a name below ${service} that may be hosted` })
    }
    if (!isDid(did) || !isWebDid(did))
      throw new ProcuraError('SCHEMA', { at: 'did', why: 'is not a canonical did:web' })
  }
}

function requireKeys(did: Did, keys: readonly HostedKey[]): void {
  const kids = new Set(keys.map(({ kid }) => kid))
  const isSound =
    keys.length > 0 &&
    keys.length <= MAX_METHODS &&
    kids.size === keys.length &&
    keys.every(({ kid, relationships }) => didOf(kid) === did && relationships.length > 0)
  if (!isSound) {
    throw new ProcuraError('SCHEMA', { at: 'keys', why: `are not 1 to ${MAX_METHODS} keys of ${did}, each named once` })
  }
}
