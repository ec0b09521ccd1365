import { fromBase64url } from '../encoding.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, member, parseJson, type Json, type JsonObject } from '../json.js'
import type { Did } from './did.js'

const PREFIX = 'did:jwk:'
const SIGNING = ['assertionMethod', 'authentication', 'capabilityInvocation', 'capabilityDelegation']

/**
 * The document that a did:jwk stands for: one key, called `#0`, under the relationships that its `use` allows. A key of
 * any type has one; which keys count is decided where the document is read.
 *
 * The name is read strictly: canonical base64url of JSON without white space, odd escapes or a member twice, each member
 * a string or a list of strings. So no two programs read two keys out of one name.
 *
 * @throws DID_METHOD - it stands for no JWK
 * @see https://github.com/quartzjer/did-jwk/blob/main/spec.md#read
 */
export function didJwkDocument(did: Did): JsonObject {
  const jwk = readJwk(did)
  const kid = `${did}#0`
  const use = member(jwk, 'use')
  const names = [...(use === 'enc' ? [] : SIGNING), ...(use === 'sig' ? [] : ['keyAgreement'])]
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/suites/jws-2020/v1'],
    id: did,
    verificationMethod: [{ id: kid, type: 'JsonWebKey2020', controller: did, publicKeyJwk: jwk }],
    ...Object.fromEntries(names.map(name => [name, [kid]])),
  }
}

function readJwk(did: Did): JsonObject {
  const bytes = did.startsWith(PREFIX) ? fromBase64url(did.slice(PREFIX.length)) : null
  const jwk = bytes === null ? null : jsonOrNull(bytes)
  if (!isObject(jwk) || typeof member(jwk, 'kty') !== 'string' || !Object.values(jwk).every(isText)) {
    throw new ProcuraError('DID_METHOD', { did })
  }
  return jwk
}

function jsonOrNull(bytes: Uint8Array): Json {
  try {
    const { text, value } = parseJson(bytes, 'did:jwk')
    return JSON.stringify(value) === text ? value : null
  } catch (error) {
    if (isProcuraError(error)) return null
    throw error
  }
}

function isText(value: Json): boolean {
  return typeof value === 'string' || (Array.isArray(value) && value.every(one => typeof one === 'string'))
}
