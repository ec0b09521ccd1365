import { LRUCache } from 'lru-cache'
import { didOf, methodOf, type Did } from '../../did/did.js'
import { readDidDocument, type DidDocument } from '../../did/document.js'
import { didJwkDocument } from '../../did/jwk.js'
import { didKeyUrl, fromDidKey } from '../../did/key.js'
import type { PublicKey } from '../../ed25519.js'
import { ProcuraError } from '../../errors.js'
import type { Keys } from '../../ports/deciding.js'
import type { Clock } from '../../ports/world.js'
import { createDocuments, type Hosted } from './documents.js'
import type { GuardedFetch } from './fetch.js'
import { createMethods, type Methods } from './methods.js'
import { createWatch } from './watch.js'

/** What {@link createKeys} needs. */
export interface KeysOptions {
  readonly fetch: GuardedFetch
  readonly clock: Clock
  /** milliseconds that never fall, for ages; the process's own unless given */
  readonly uptime?: (() => number) | undefined
  /** did:web documents kept; 500 */
  readonly maxDocuments?: number | undefined
  /** their bytes together; 8 MiB */
  readonly maxBytes?: number | undefined
  /** did:key keys kept; 5000 */
  readonly maxKeys?: number | undefined
  readonly hosted?: Hosted | undefined
}

/** The port, and what an agent and an operator need besides. */
export interface ResolvedKeys extends Keys {
  /** Forgets what is known of a DID: its keys changed. */
  evict(did: Did): void
  readonly methods: Methods
}

/**
 * Keys of did:key and did:jwk names by computation and of did:web names from their documents, at most 300 s old. Any
 * other method is DID_METHOD. A key that a document lists but that is weak or private throws when it is looked up.
 *
 * @see https://www.w3.org/TR/did-core/#verification-relationships
 */
export function createKeys(options: KeysOptions): ResolvedKeys {
  const { fetch, clock, uptime, maxDocuments = 500, maxBytes = 8 * 1024 * 1024, maxKeys = 5000, hosted } = options
  const bounds = { max: maxDocuments, maxBytes }
  const documents = createDocuments(fetch, createWatch(clock, uptime), bounds, hosted)
  const computed = new LRUCache<Did, PublicKey>({ max: maxKeys })
  const compute = (did: Did): PublicKey => {
    const key = computed.get(did) ?? fromDidKey(did)
    computed.set(did, key)
    return key
  }
  return {
    async find(kid, relationship) {
      const did = didOf(kid)
      if (methodOf(did) === 'key') {
        const key = compute(did)
        return kid === didKeyUrl(did) ? key : null
      }
      const document = await documentOf(did)
      return document.find(kid, relationship, clock.now())
    },
    async all(did, relationship) {
      if (methodOf(did) === 'key') return [compute(did)]
      const document = await documentOf(did)
      return document.all(relationship, clock.now())
    },
    evict: did => documents.evict(did),
    methods: createMethods(documents),
  }

  async function documentOf(did: Did): Promise<DidDocument> {
    switch (methodOf(did)) {
      case 'web':
        return (await documents.read(did)).document
      case 'jwk':
        return readDidDocument(did, didJwkDocument(did))
      default:
        throw new ProcuraError('DID_METHOD', { did })
    }
  }
}
