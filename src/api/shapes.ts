import { z } from 'zod'
import { isDid, type Did } from '../did/did.js'
import { isKeyText } from '../ed25519.js'
import { isS256 } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { isObject, type JsonObject } from '../json.js'

/** A DID without path, query or fragment. */
export const did = z
  .string()
  .refine((value): value is Did => isDid(value), 'is not a DID')
  .meta({ id: 'Did', description: 'a DID', examples: ['did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'] })

/** One compact JWS. */
export const token = z
  .string()
  .min(1)
  .max(8 * 1024)
  .meta({ id: 'Token', description: 'a compact JWS' })

/** Credentials, root first. */
export const chain = z.array(token).min(1).max(9).meta({ description: 'credentials, root first' })

/** A JSON object that came out of `JSON.parse`; how deep it may be is judged where it is read. */
export const json = z.custom<JsonObject>(isObject, 'is not an object').meta({ type: 'object' })

/** base64url of an Ed25519 key. */
export const key = z
  .string()
  .refine(isKeyText, 'is not base64url of 32 bytes')
  .meta({ description: 'base64url of an Ed25519 key' })

/** base64url of a SHA-256. */
export const s256 = z
  .string()
  .refine(isS256, 'is not a SHA-256')
  .meta({ description: 'base64url of a SHA-256', pattern: '^[A-Za-z0-9_-]{43}$' })

/** Whole seconds since 1970. */
export const seconds = z.int().min(0).meta({ id: 'UnixSeconds', description: 'whole seconds since 1970' })

/** What a request does not have. */
export const nothing = z.strictObject({})

/**
 * Reads a part of a request; unknown members are refused.
 *
 * @param at - names the part in the error
 * @throws SCHEMA - the first thing wrong, with its path
 */
export function parseInput<T extends z.ZodType>(schema: T, input: unknown, at: string): z.output<T> {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new ProcuraError('SCHEMA', {
    at: [at, ...(issue?.path ?? [])].map(String).join('.'),
    why: issue === undefined ? 'is malformed' : whyOf(issue),
  })
}

/** Names of members are repeated only if they look like names: what else they are may be a secret in the wrong place. */
function whyOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'unrecognized_keys') return issue.message
  return `has members that nobody knows: ${issue.keys.map(key => (/^[A-Za-z]{1,24}$/.test(key) ? key : '…')).join(', ')}`
}
