import type { DIDDocument, DIDResolutionResult, DIDResolver } from 'did-resolver'
import { getResolver } from 'key-did-resolver'
import { isDid, type Did } from '../../did/did.js'
import { didJwkDocument } from '../../did/jwk.js'
import { didWebUrl } from '../../did/web.js'
import { isProcuraError } from '../../errors.js'
import type { JsonObject } from '../../json.js'
import type { Documents } from './documents.js'

/** Resolvers for the three methods, in the form of `did-resolver`; for agents, never for decisions. */
export interface Methods {
  readonly key: DIDResolver
  readonly jwk: DIDResolver
  readonly web: DIDResolver
}

/**
 * did:key and did:jwk by computation, did:web from the same bounded documents that decisions use. None throws for what a
 * DID or its host does: refusals stand in `didResolutionMetadata`.
 *
 * @see https://www.w3.org/TR/did-core/#did-resolution-metadata
 */
export function createMethods(documents: Documents): Methods {
  const byComputation = getResolver()['key']
  if (byComputation === undefined) throw new TypeError('key-did-resolver has no method key')
  return {
    // checked first: decoding base58 takes quadratic time, and the library has no bound
    key: async (did, parsed, resolver, options) =>
      isDid(did) ? byComputation(did, parsed, resolver, options) : refusal('invalidDid', 'not a DID'),
    jwk: did => Promise.resolve(isDid(did) ? computed(did) : refusal('invalidDid', 'not a DID')),
    async web(did) {
      if (!isDid(did)) return refusal('invalidDid', 'not a DID')
      try {
        didWebUrl(did)
      } catch (error) {
        return refusal('invalidDid', messageOf(error))
      }
      try {
        return resolution((await documents.read(did)).json())
      } catch (error) {
        return refusal('notFound', messageOf(error))
      }
    },
  }
}

function computed(did: Did): DIDResolutionResult {
  try {
    return resolution(didJwkDocument(did))
  } catch (error) {
    return refusal('invalidDid', messageOf(error))
  }
}

function resolution(json: JsonObject): DIDResolutionResult {
  return {
    didResolutionMetadata: { contentType: 'application/did+json' },
    // a copy, because agents write into what they resolve
    didDocument: structuredClone(json) as unknown as DIDDocument,
    didDocumentMetadata: {},
  }
}

function messageOf(error: unknown): string {
  if (isProcuraError(error)) return error.message
  throw error
}

function refusal(error: 'invalidDid' | 'notFound', message: string): DIDResolutionResult {
  return { didResolutionMetadata: { error, message }, didDocument: null, didDocumentMetadata: {} }
}
