import { LRUCache } from 'lru-cache'
import type { Did } from '../../did/did.js'
import { readDidDocument, type DidDocument } from '../../did/document.js'
import { didWebUrl } from '../../did/web.js'
import { isProcuraError, ProcuraError } from '../../errors.js'
import { isObject, parseJson, type JsonObject } from '../../json.js'
import type { GuardedFetch } from './fetch.js'
import { createFlights } from './flights.js'
import type { Moment, Watch } from './watch.js'

/** Longest life of a copy of a DID document, in seconds (profile §6, step 7). */
export const MAX_DOCUMENT_AGE = 300
/** Largest DID document, in bytes. */
export const MAX_DOCUMENT_BYTES = 65_536

/** A DID document as it was served, and as it is understood. */
export interface Resolved {
  json(): JsonObject
  readonly document: DidDocument
}

/** How much is kept: documents, and their bytes in memory together. */
export interface Bounds {
  readonly max: number
  readonly maxBytes: number
}

/** The documents of did:web names. */
export interface Documents {
  /** @throws DID_FORBIDDEN_HOST, DID_RESOLUTION */
  read(did: Did): Promise<Resolved>
  /** The next read asks the host again, also if an answer is on its way just now. */
  evict(did: Did): void
}

/** Answers for DIDs of this service; `null` for all others. */
export type Hosted = (did: Did) => JsonObject | null | Promise<JsonObject | null>

/** Bytes in memory of a verification method, its key or what is wrong with it. */
const METHOD_BYTES = 2048

const ACCEPT = 'application/did+json, application/did+ld+json;q=0.9, application/json;q=0.8'

/**
 * Documents from their hosts, kept for {@link MAX_DOCUMENT_AGE} and not a second longer, whatever the host does then.
 * Age counts from the question, because an answer may have been under way for long. Failures are not kept. Concurrent
 * reads of a DID share one request.
 */
export function createDocuments(
  fetch: GuardedFetch,
  watch: Watch,
  { max, maxBytes }: Bounds,
  hosted?: Hosted,
): Documents {
  const kept = new LRUCache<string, { readonly resolved: Resolved; readonly asked: Moment }>({ max, maxSize: maxBytes })
  const flights = createFlights(async (did, isForgotten) => {
    const asked = watch.mark()
    const { size, ...resolved } = await fetchDocument(did as Did, fetch)
    if (!isForgotten()) kept.set(did, { resolved, asked }, { size })
    return resolved
  })
  return {
    async read(did) {
      const own = await hosted?.(did)
      if (own !== undefined && own !== null) return { json: () => own, document: understand(did, own) }
      const copy = kept.get(did)
      if (copy !== undefined && watch.age(copy.asked) < MAX_DOCUMENT_AGE) return copy.resolved
      kept.delete(did)
      return flights.join(did, false)
    },
    evict(did) {
      kept.delete(did)
      flights.forget(did)
    },
  }
}

/** The same object says the same. */
const understood = new WeakMap<JsonObject, DidDocument>()

function understand(did: Did, own: JsonObject): DidDocument {
  const document = understood.get(own) ?? readDidDocument(did, own)
  understood.set(own, document)
  return document
}

async function fetchDocument(did: Did, fetch: GuardedFetch): Promise<Resolved & { readonly size: number }> {
  const reply = await fetch.get(didWebUrl(did), { maxBytes: MAX_DOCUMENT_BYTES, accept: ACCEPT })
  switch (reply.kind) {
    case 'forbidden':
      throw new ProcuraError('DID_FORBIDDEN_HOST', { host: reply.host })
    case 'failed':
      throw new ProcuraError('DID_RESOLUTION', { did, why: reply.why })
    case 'unchanged':
      throw new ProcuraError('DID_RESOLUTION', { did, why: 'status 304' })
    case 'content': {
      const { text, value } = readJson(did, reply.body)
      const document = readDidDocument(did, value)
      // the text is kept, because a tree can weigh fifteen times as much
      const json = (): JsonObject => JSON.parse(text) as JsonObject
      return { json, document, size: 2 * text.length + METHOD_BYTES * document.methods }
    }
  }
}

function readJson(did: Did, body: Uint8Array): { readonly text: string; readonly value: JsonObject } {
  try {
    const { text, value } = parseJson(body, 'DID document')
    if (isObject(value)) return { text, value }
  } catch (cause) {
    if (!isProcuraError(cause)) throw cause
    throw new ProcuraError('DID_RESOLUTION', { did, why: cause.message }, { cause })
  }
  throw new ProcuraError('DID_RESOLUTION', { did, why: 'the document is not an object' })
}
