import { CONTEXTS } from '../credential/credential.js'
import { ProcuraError } from '../errors.js'
import { isObject, member, type Json, type JsonObject } from '../json.js'
import type { Shape } from '../shape.js'

const PREFIX = 'data:application/vc+jwt,'
const TYPE = 'EnvelopedVerifiableCredential'

/** Wraps a token for a presentation. @see https://www.w3.org/TR/vc-data-model-2.0/#enveloped-verifiable-credentials */
export function envelope(token: string): Json {
  return { '@context': CONTEXTS[0], id: `${PREFIX}${token}`, type: TYPE }
}

/** Reads an EnvelopedVerifiableCredential with exactly its three members to its data URL, which is judged later. */
export const entryShape: Shape<string> = (value, at, report) => {
  const id = isObject(value) ? member(value, 'id') : undefined
  if (isObject(value) && typeof id === 'string' && isEnvelope(value)) return id
  report(new ProcuraError('SCHEMA', { at, why: 'is not an EnvelopedVerifiableCredential' }))
  return ''
}

function isEnvelope(value: JsonObject): boolean {
  const isOf = member(value, '@context') === CONTEXTS[0] && member(value, 'type') === TYPE
  return isOf && Object.keys(value).length === 3
}

/** The token in a data URL. @throws CHAIN_ENVELOPE */
export function openEnvelope(id: string, at: string): string {
  if (!id.startsWith(PREFIX)) throw new ProcuraError('CHAIN_ENVELOPE', { at })
  return id.slice(PREFIX.length)
}
