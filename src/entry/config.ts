import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import type { AgentFile } from '../adapters/veramo/agent-file.js'
import { isDid, type Did } from '../did/did.js'
import { isS256 } from '../encoding.js'
import { isProcuraError, type ProcuraError } from '../errors.js'
import { isObject } from '../json.js'

/** The issuing policy of the package. */
const ISSUING_POLICY = fileURLToPath(new URL('../../data/policies/issuing.json', import.meta.url))

const did = z.string().refine((value): value is Did => isDid(value), 'is not a DID')
const origin = z.string().refine(isHttpsOrigin, 'is not an https origin such as https://id.example.org')
const path = z.string().min(1).max(1024)

const secretHash = z.string().refine(isS256, 'is not a base64url SHA-256')
const resourceServer = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'is not 1 to 64 letters, digits, dots, dashes'),
  /** several while one is replaced by another */
  secretHash: z.union(
    [secretHash.transform(one => [one]), z.array(secretHash).min(1).max(4)],
    'is not a base64url SHA-256, or up to four',
  ),
  policy: path,
})

/** What has to be sound before a listener can be judged. */
const seesListener = z.object({ host: z.string(), behindTls: z.boolean().default(false) })

/** Calls of one caller in a sliding window of `per` seconds. */
const limit = (max: number, per: number, most = 10_000) =>
  z.strictObject({ max: z.int().min(1).max(most), per: z.int().min(1).max(86_400) }).default({ max, per })

const procura = z.strictObject({
  origin,
  storage: z.string().min(1),
  /** where processes count calls together */
  state: z
    .string()
    .regex(/^rediss?:\/\/[^\s]+$/, 'is not redis://host:port')
    .optional(),
  keyFile: path,
  operator: z.string().min(1),
  policy: path.default(ISSUING_POLICY),
  /** folders of logs, of which at least one has to take each record */
  audit: z.union([path.transform(one => [one]), z.array(path).min(1).max(4)]),
  /** the audit log's path with `.marker` unless given */
  marker: path.optional(),
  status: z.strictObject({ bits: z.union([z.literal(131_072), z.literal(1_048_576)]) }).default({ bits: 131_072 }),
  listen: z
    .strictObject({
      host: z.string().min(1).max(253),
      port: z.int().min(0).max(65_535),
      behindTls: z.boolean().default(false),
      /** how many answer together, on as many cores */
      processes: z
        .union([z.int().min(1).max(64), z.literal('cores').transform(() => availableParallelism())])
        .default(1),
      /** whose `X-Forwarded-For` counts */
      trustedProxies: z
        .array(z.string().refine(isNetwork, 'is not an address or a network such as 10.0.0.0/8'))
        .default([]),
      /** seconds between the signal to stop and the end of listening: a proxy finds out meanwhile */
      drain: z.int().min(0).max(300).default(0),
    })
    .refine(({ host, behindTls }) => behindTls || isLoopback(host), {
      path: ['host'],
      when: ({ value }) => seesListener.safeParse(value).success,
      message: 'is not a loopback address: this listener speaks plain HTTP; put TLS before it and set behindTls: true',
    }),
  connect: z.record(z.string(), z.string()).default({}),
  admins: z.array(did).default([]),
  auditors: z.array(did).default([]),
  telemetry: z
    .strictObject({
      /** whether everybody may read `GET /metrics` */
      metrics: z.boolean().default(false),
      log: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('error'),
    })
    .prefault({}),
  resourceServers: z
    .array(resourceServer)
    .refine(all => areDistinct(all.map(one => one.name)), 'two share one name')
    .refine(all => areDistinct(all.flatMap(one => one.secretHash)), 'two share one secret')
    .default([]),
  /** web origins whose pages may call */
  cors: z.array(origin).default([]),
  events: z.enum(['public', 'resource-servers']).default('public'),
  limits: z
    .strictObject({
      identities: limit(60, 3600),
      leases: limit(120, 3600),
      chains: limit(1000, 60),
      strangers: limit(12_000, 60, 100_000_000),
      subjects: limit(1200, 60, 100_000_000),
      resourceServers: limit(600_000, 60, 100_000_000),
      body: z.int().min(16_384).max(16_777_216).default(262_144),
      arrival: z.int().min(1).max(300).default(15),
    })
    .prefault({}),
})

/** The `procura:` block of an agent file. Paths are relative to the working directory. */
export type Config = z.infer<typeof procura>

/** How the service of an agent file is reached from this machine: https origin → address. */
export function reachOf({ origin, listen, connect }: Config): Readonly<Record<string, string>> {
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  const here = listen.behindTls ? {} : { [origin]: `http://${host}:${listen.port}` }
  return { ...here, ...connect }
}

/** Path of the marker: how far database and audit log came, kept outside of both. */
export function markerOf({ marker, audit }: Config): string {
  return marker ?? `${audit[0] ?? ''}.marker`
}

/** `PROCURA_*` → the member it overrides. */
const OVERRIDES: Readonly<Record<string, readonly [string, ...string[]]>> = {
  PROCURA_ORIGIN: ['origin'],
  PROCURA_STORAGE: ['storage'],
  PROCURA_STATE: ['state'],
  PROCURA_KEY_FILE: ['keyFile'],
  PROCURA_AUDIT: ['audit'],
  PROCURA_MARKER: ['marker'],
  PROCURA_HOST: ['listen', 'host'],
  PROCURA_PORT: ['listen', 'port'],
  PROCURA_BEHIND_TLS: ['listen', 'behindTls'],
  PROCURA_PROCESSES: ['listen', 'processes'],
}

/** What a `procura:` block says, and everything that is wrong with its form. */
export interface InspectedConfig {
  /** `null` if anything is wrong */
  readonly config: Config | null
  /** the members that are sound */
  readonly known: Partial<Config>
  /** CONFIG_INVALID with file, line and path */
  readonly problems: readonly ProcuraError[]
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
  const { config, problems } = await inspectConfig(file, environment)
  if (config === null) throw problems[0] ?? file.invalid(['procura'], 'is malformed')
  return config
}

/** Reads the block as {@link readConfig} does, and finds everything that is wrong. */
export async function inspectConfig(
  file: AgentFile,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<InspectedConfig> {
  const problems: ProcuraError[] = []
  const block = override(await resolved(file, problems), environment)
  const known: Record<string, unknown> = {}
  for (const [name, shape] of Object.entries(procura.shape)) {
    const result = shape.safeParse(block[name])
    if (result.success) known[name] = result.data
    else problems.push(...result.error.issues.flatMap(issue => invalidOf(issue, file, name)))
  }
  for (const name of Object.keys(block)) {
    if (!Object.hasOwn(procura.shape, name)) problems.push(file.invalid(['procura', name], 'is not known here'))
  }
  // what could not be put in is told once
  const told = problems.filter(({ facts }, n) => problems.findIndex(one => one.facts['at'] === facts['at']) === n)
  return { config: told.length === 0 ? (known as Config) : null, known: known, problems: told }
}

/** The members of the block, each by itself: what one lacks does not hide what is wrong with the others. */
async function resolved(file: AgentFile, problems: ProcuraError[]): Promise<Record<string, unknown>> {
  const block = file.content['procura']
  if (!isObject(block) || Object.keys(block).some(name => name.startsWith('$'))) {
    const whole = await file.resolve(['procura']).catch((error: unknown) => error)
    if (isObject(whole)) return whole
    problems.push(isProcuraError(whole) ? whole : file.invalid(['procura'], 'is not a map'))
    return {}
  }
  const members: Record<string, unknown> = {}
  for (const name of Object.keys(block)) {
    try {
      members[name] = await file.resolve(['procura', name])
    } catch (error) {
      if (!isProcuraError(error)) throw error
      problems.push(error)
    }
  }
  return members
}

function invalidOf(issue: z.core.$ZodIssue, file: AgentFile, name: string): readonly ProcuraError[] {
  const at = issue.path.filter(step => typeof step !== 'symbol')
  const unknown: readonly string[] = issue.code === 'unrecognized_keys' ? issue.keys : []
  if (unknown.length === 0) return [file.invalid(['procura', name, ...at], issue.message)]
  return unknown.map(one => file.invalid(['procura', name, ...at, one], 'is not known here'))
}

function override(
  block: Record<string, unknown>,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const changed = structuredClone(block)
  for (const [name, [first, second]] of Object.entries(OVERRIDES)) {
    const text = environment[name]
    if (text === undefined || text === '') continue
    if (second === undefined) changed[first] = text
    else changed[first] = { ...(changed[first] as object), [second]: valueOf(text) }
  }
  return changed
}

/** What a variable says, where a number or a yes is due. */
function valueOf(text: string): string | number | boolean {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  return ['true', 'false'].includes(text) ? text === 'true' : text
}

function isHttpsOrigin(value: string): boolean {
  return URL.canParse(value) && new URL(value).protocol === 'https:' && new URL(value).origin === value
}

function areDistinct(names: readonly string[]): boolean {
  return new Set(names).size === names.length
}

function isNetwork(value: string): boolean {
  return ipaddr.isValid(value) || ipaddr.isValidCIDR(value)
}

/** True for an address that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host)
}
