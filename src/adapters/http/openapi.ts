import { z } from 'zod'
import { codesOf, type Operation } from '../../api/operation.js'
import { OPERATIONS } from '../../api/operations.js'
import { problemAnswer, readyAnswer } from '../../api/answers.js'
import { ERRORS, type Code } from '../../errors.js'
import type { JsonObject, Json } from '../../json.js'
import { STATUS } from './problem.js'
import { KEY_HEADER } from './repeats.js'

const TAGS: Readonly<Record<Operation['caller'], string>> = {
  anyone: 'for everybody',
  'resource-server': 'for resource servers',
  subject: 'for admins and subjects',
}
const SECURITY: Readonly<Record<Operation['caller'], Json>> = {
  anyone: [],
  'resource-server': [{ bearer: [] }],
  subject: [{ agentProof: [] }],
}

/**
 * The OpenAPI document of the service, made of the same table that it serves.
 *
 * @param origin - the service's own https origin
 * @see https://spec.openapis.org/oas/v3.1.1
 */
export function toOpenApi(origin: string): JsonObject {
  const paths: Record<string, Record<string, Json>> = {}
  for (const [name, one] of Object.entries(OPERATIONS) as [string, Operation][]) {
    ;(paths[one.path] ??= {})[one.method.toLowerCase()] = toOperation(name, one)
  }
  return hoist({
    openapi: '3.1.1',
    info: {
      title: 'Procura',
      version: '1',
      summary: 'Identity and authority for autonomous AI agents',
      description: `Errors are problem documents (RFC 9457) with a stable \`code\`. Unknown members are refused.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: origin }],
    tags: Object.values(TAGS).map(tag => ({ name: tag, description: `Operations ${tag}` })),
    paths,
  })
}

function toOperation(name: string, one: Operation): JsonObject {
  const { summary, caller, body, params, query, repeat } = one
  const key = {
    ...{ name: KEY_HEADER, in: 'header', required: false },
    description: 'of two requests with the same key the second is answered as the first',
    schema: { type: 'string', pattern: '^[A-Za-z0-9._~:-]{1,128}$' },
  }
  return {
    operationId: name,
    summary,
    tags: [TAGS[caller]],
    security: SECURITY[caller],
    parameters: [
      ...pathNames(one).map(part => ({ name: part, in: 'path', required: true, schema: partOf(params, part) })),
      ...Object.entries(members(query)).map(([part, schema]) => ({ name: part, in: 'query', required: false, schema })),
      ...(repeat === 'free' ? [] : [key]),
    ],
    ...(body === null
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } } }),
    responses: { [one.status]: success(one), ...(one.cache === undefined ? {} : NOT_MODIFIED), ...refusals(one) },
  }
}

const NOT_MODIFIED = { 304: { description: 'You have it: `If-None-Match` names what is served' } }

function pathNames({ path }: Operation): readonly string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
}

function success({ status, answer, type = 'application/json', stream, summary }: Operation): JsonObject {
  if (status === 204) return { description: summary }
  const schema = answer === null ? { type: 'string' } : schemaOf(answer, 'output')
  const streamed = stream === undefined ? {} : { [stream]: { schema: { type: 'string' } } }
  return { description: summary, content: { [type]: { schema }, ...streamed } }
}

/** By status, with the codes that stand behind it. */
function refusals(one: Operation): Record<string, Json> {
  const byStatus = new Map<number, Code[]>()
  for (const code of codesOf(one)) {
    const status = STATUS[ERRORS[code][0]]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const problem = schemaOf(problemAnswer, 'output')
  const schema = (status: number): JsonObject =>
    one.path === '/readyz' && status === 503 ? { allOf: [problem, schemaOf(readyAnswer, 'output')] } : problem
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      { description: codes.join(', '), content: { 'application/problem+json': { schema: schema(status) } } },
    ]),
  )
}

function members(schema: z.ZodType): JsonObject {
  const { properties = {} } = schemaOf(schema, 'input') as { readonly properties?: JsonObject }
  return properties
}

function partOf(schema: z.ZodType, name: string): Json {
  return members(schema)[name] ?? { type: 'string' }
}

/** A schema as JSON Schema 2020-12, the dialect of OpenAPI 3.1; answers may get members that clients do not know. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const made = z.toJSONSchema(schema, {
    io,
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      delete jsonSchema.readOnly
      if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
    },
  })
  delete made.$schema
  return made as JsonObject
}

/** What schemas define by name, once for all. */
function hoist(document: JsonObject): JsonObject {
  const schemas: Record<string, Json> = {}
  const text = JSON.stringify(document, (name, value: unknown) => {
    if (name !== '$defs') return value
    Object.assign(schemas, value)
    return undefined
  })
  const named = JSON.stringify({ ...(JSON.parse(text) as object), components: { schemas, securitySchemes: SCHEMES } })
  return JSON.parse(named.replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonObject
}

const SCHEMES = {
  bearer: { type: 'http', scheme: 'bearer', description: 'the secret of a resource server' },
  agentProof: {
    type: 'apiKey',
    in: 'header',
    name: 'Agent-Proof',
    description: 'an agent-proof+jwt without a chain, signed by the caller’s key for this one request',
  },
}
