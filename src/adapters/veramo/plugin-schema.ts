import type { IAgentPluginSchema } from '@veramo/core-types'
import { z } from 'zod'
import { isResource } from '../../authority/resource.js'
import { isDid, type Did } from '../../did/did.js'
import { isKeyText } from '../../ed25519.js'
import { isS256 } from '../../encoding.js'
import { ProcuraError } from '../../errors.js'
import { isObject, type JsonObject } from '../../json.js'

const json = z.custom<JsonObject>(isObject, 'is not an object').meta({ type: 'object' })
const did = z.string().refine((value): value is Did => isDid(value), 'is not a DID')
const name = z.string().min(1).max(512)
const token = z
  .string()
  .min(1)
  .max(8 * 1024)

/** which of the chains held are considered */
const chosen = { chain: name.exactOptional(), onBehalfOf: name.exactOptional() }

const request = z.strictObject({
  method: z.string(),
  url: z.string(),
  bodyDigest: z.string().nullable(),
  action: z.string(),
  resource: z.string(),
  params: json,
  approval: z.string().exactOptional(),
})
const shown = z.union([z.string(), z.strictObject({ proof: z.string() })])

/**
 * Arguments of `procuraDecide` and `procuraExplain`. What is shown, and what the server says of its request, is judged by
 * `decide`.
 */
export const decideArgs = z.strictObject({ shown, request, reserve: z.boolean().exactOptional() })

/** Arguments of `procuraCommit` and `procuraRelease`. */
export const decisionArgs = z.strictObject({ decisionId: z.string() })

/** Arguments of `procuraDelegate`. Members of the authority are read by the same code that will verify them. */
export const delegateArgs = z.strictObject({
  as: name,
  to: did,
  key: z.string().refine(isKeyText, 'is not base64url of 32 bytes').exactOptional(),
  ttl: z.union([z.int().min(1).max(86_400), z.string().regex(/^[1-9][0-9]{0,8}[smhd]$/)]),
  ...chosen,
  grants: z.array(json),
  more: z.int().exactOptional(),
  audience: z.array(z.string()).exactOptional(),
  recipients: z.array(z.string()).exactOptional(),
  budgets: z.array(json).exactOptional(),
  rate: json.exactOptional(),
  purpose: json.exactOptional(),
})

/** Arguments of `procuraPresent`. */
export const presentArgs = z.strictObject({
  as: name,
  audience: name,
  method: z.string().min(1).max(32),
  url: z.string().min(1).max(2048),
  bodyDigest: z.string().refine(isS256, 'is not a SHA-256').nullable().exactOptional(),
  action: name,
  resource: z.string().refine(isResource, 'is not a canonical resource'),
  params: json,
  purpose: name.exactOptional(),
  nonce: name.exactOptional(),
  ...chosen,
  provenance: z.array(z.strictObject({ source: z.string(), s256: z.string() })).exactOptional(),
  identity: z.array(token).max(8).exactOptional(),
})

/** Arguments of `procuraReceive`. */
export const receiveArgs = z.strictObject({ as: name, chain: z.array(token).min(1).max(9) })

const verdict = {
  decisionId: z.string(),
  allow: z.boolean(),
  code: z.string().nullable(),
  link: z.int().nullable(),
}
const decision = z.looseObject({
  ...verdict,
  policyVersion: z.string(),
  at: z.int(),
  holder: z.string().nullable(),
  root: z.string().nullable(),
  onBehalfOf: z.string().nullable(),
  path: z.array(z.string()),
  unproved: z.array(z.string()),
  act: json.nullable(),
  digests: z.array(z.string()),
  purpose: z.string().nullable(),
  validUntil: z.int().nullable(),
  statusAge: z.int().nullable(),
  identities: z.array(z.string()),
  approvedBy: json.nullable(),
})
const explanation = z.looseObject({
  decision,
  asks: json.nullable(),
  steps: z.array(
    z.looseObject({ rows: z.string(), what: z.string(), outcome: z.string(), code: z.string().nullable() }),
  ),
  links: z.array(
    z.looseObject({ index: z.int(), digest: z.string(), kid: z.string(), refused: z.string().nullable() }),
  ),
})
const delegation = z.strictObject({
  chain: z.array(z.string()),
  digest: z.string(),
  id: z.string(),
  validUntil: z.int(),
})
const received = delegation.omit({ chain: true })
const presentation = z.strictObject({ presentation: z.string() })

interface Method {
  readonly says: string
  readonly takes: z.ZodType
  readonly gives: z.ZodType
}

const METHODS: Readonly<Record<string, Method>> = {
  procuraDecide: {
    says: 'Decides one request. A refusal is an answer with allow: false and a stable code.',
    takes: decideArgs,
    gives: decision,
  },
  procuraExplain: {
    says: 'What procuraDecide would answer now, and why. Uses up, charges and records nothing.',
    takes: decideArgs,
    gives: explanation,
  },
  procuraCommit: {
    says: 'The commit point of a decision that was taken with reserve, right before its effect.',
    takes: decisionArgs,
    gives: z.looseObject(verdict),
  },
  procuraRelease: {
    says: 'Gives a reserved charge back, because the effect did not happen.',
    takes: decisionArgs,
    gives: z.looseObject(verdict),
  },
  procuraDelegate: {
    says: 'Signs a delegation as an agent of the wallet, by alias or DID. Refuses at once what would widen.',
    takes: delegateArgs,
    gives: delegation,
  },
  procuraReceive: {
    says: 'Keeps a chain that ends in an agent of the wallet, after verifying every signature and every narrowing.',
    takes: receiveArgs,
    gives: received,
  },
  procuraPresent: {
    says: 'Signs a presentation for one request as an agent of the wallet, by alias or DID.',
    takes: presentArgs,
    gives: presentation,
  },
}

/** What Veramo checks calls against, where it checks them, and what its OpenAPI documents are made of. */
export function pluginSchema(names: readonly string[]): IAgentPluginSchema {
  const schemas: Record<string, object> = {}
  const methods: Record<string, object> = {}
  for (const [name, { says, takes, gives }] of Object.entries(METHODS)) {
    if (!names.includes(name)) continue
    const title = name.replace(/^p/, 'P')
    schemas[`${title}Args`] = toJsonSchema(takes)
    schemas[`${title}Result`] = toJsonSchema(gives)
    methods[name] = { description: says, arguments: referTo(`${title}Args`), returnType: referTo(`${title}Result`) }
  }
  return { components: { schemas, methods } }
}

/** Of the draft that Veramo's validator reads. */
function toJsonSchema(schema: z.ZodType): object {
  const written = z.toJSONSchema(schema, { target: 'draft-4', io: 'input', unrepresentable: 'any' })
  delete written.$schema
  return written
}

function referTo(schema: string): object {
  return { $ref: `#/components/schemas/${schema}` }
}

/**
 * Reads the arguments of a call; unknown members are refused.
 *
 * @throws SCHEMA - the first thing wrong, with its path
 */
export function readArgs<T>(schema: z.ZodType<T>, args: unknown): T {
  const result = schema.safeParse(args)
  if (result.success) return result.data
  const [issue] = result.error.issues
  throw new ProcuraError('SCHEMA', {
    at: ['arguments', ...(issue?.path ?? [])].map(String).join('.'),
    why: issue?.message ?? 'is malformed',
  })
}
