import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import type { AgentFile } from '../adapters/veramo/agent-file.js'
import { isDid, type Did } from '../did/did.js'
import { isS256 } from '../encoding.js'

/** The issuing policy of the package. */
const ISSUING_POLICY = fileURLToPath(new URL('../../data/policies/issuing.json', import.meta.url))

const did = z.string().refine((value): value is Did => isDid(value), 'is not a DID')
const origin = z.string().refine(isHttpsOrigin, 'is not an https origin such as https://id.example.org')
const path = z.string().min(1).max(1024)

const resourceServer = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'is not 1 to 64 letters, digits, dots, dashes'),
  secretHash: z.string().refine(isS256, 'is not a base64url SHA-256'),
  policy: path,
})

/** Calls of one caller in a sliding window of `per` seconds. */
const limit = (max: number, per: number) =>
  z.strictObject({ max: z.int().min(1).max(10_000), per: z.int().min(1).max(86_400) }).default({ max, per })

const procura = z.strictObject({
  origin,
  storage: z.string().min(1),
  keyFile: path,
  operator: z.string().min(1),
  policy: path.default(ISSUING_POLICY),
  audit: path,
  /** the audit log's path with `.marker` unless given */
  marker: path.optional(),
  status: z.strictObject({ bits: z.union([z.literal(131_072), z.literal(1_048_576)]) }).default({ bits: 131_072 }),
  listen: z
    .strictObject({
      host: z.string().min(1).max(253),
      port: z.int().min(0).max(65_535),
      behindTls: z.boolean().default(false),
    })
    .refine(({ host, behindTls }) => behindTls || isLoopback(host), {
      path: ['host'],
      message: 'is not a loopback address: this listener speaks plain HTTP; put TLS before it and set behindTls: true',
    }),
  connect: z.record(z.string(), z.string()).default({}),
  admins: z.array(did).default([]),
  resourceServers: z
    .array(resourceServer)
    .refine(all => new Set(all.map(one => one.secretHash)).size === all.length, 'two share one secret')
    .default([]),
  events: z.enum(['public', 'resource-servers']).default('public'),
  limits: z
    .strictObject({ identities: limit(60, 3600), leases: limit(120, 3600), chains: limit(1000, 60) })
    .prefault({}),
})

/** The `procura:` block of an agent file. Paths are relative to the working directory. */
export type Config = z.infer<typeof procura>

/** Path of the marker: how far database and audit log came, kept outside of both. */
export function markerOf({ marker, audit }: Config): string {
  return marker ?? `${audit}.marker`
}

/** `PROCURA_*` → the member it overrides. */
const OVERRIDES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  PROCURA_ORIGIN: ['origin'],
  PROCURA_STORAGE: ['storage'],
  PROCURA_KEY_FILE: ['keyFile'],
  PROCURA_PORT: ['listen', 'port'],
}

/**
 * Reads the `procura:` block, environment variables `PROCURA_*` over it.
 *
 * @throws CONFIG_INVALID - with file, line and path of the first thing wrong; unknown members are refused
 */
export async function readConfig(
  file: AgentFile,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Config> {
  const block = await file.resolve(['procura'])
  const result = procura.safeParse(override(block, environment))
  if (result.success) return result.data
  const [issue] = result.error.issues
  const at = (issue?.path ?? []).filter(step => typeof step !== 'symbol')
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  throw file.invalid(['procura', ...at, ...(unknown === undefined ? [] : [unknown])], issue?.message ?? 'is malformed')
}

function override(block: unknown, environment: Readonly<Record<string, string | undefined>>): unknown {
  const changed = structuredClone(block)
  for (const [name, [first, second]] of Object.entries(OVERRIDES)) {
    const text = environment[name]
    if (text === undefined || text === '' || typeof changed !== 'object' || changed === null) continue
    const section = changed as Record<string, unknown>
    if (second === undefined) section[first] = text
    else section[first] = { ...(section[first] as object), [second]: /^\d{1,5}$/.test(text) ? Number(text) : text }
  }
  return changed
}

function isHttpsOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).protocol === 'https:' && new URL(value).origin === value
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
