import type { IAgent, ICredentialPlugin, IDIDManager, IKeyManager, IResolver, TAgent } from '@veramo/core-types'
import { isProcuraError, type ProcuraError } from '../../errors.js'
import type { AgentFile } from './agent-file.js'
import type { Path } from './agent-template.js'

/** The verbs every agent here has. */
export type VeramoAgent = TAgent<IDIDManager & IKeyManager & IResolver & ICredentialPlugin>

/** Modules that only the running program can supply: name → member → value. `$require` reads own members only. */
export type Registry = Readonly<Record<string, Readonly<Record<string, unknown>>>>

interface Requirement {
  readonly module: string
  readonly member: string | null
  readonly type: string
  /** steps into the object made; none for the object itself */
  readonly steps: readonly string[]
}

const VERAMO = /^@veramo\/[a-z0-9]+(?:-[a-z0-9]+)*$/
const REQUIRE = /^([^?#]+)(?:\?([^?#]*))?(?:#(.+))?$/s
const TYPES = ['class', 'function', 'object']
const NEEDED = [
  'didManagerCreate',
  'keyManagerSign',
  'resolveDid',
  'createVerifiableCredential',
  'verifyPresentation',
] as const satisfies readonly (keyof VeramoAgent)[]

/**
 * Makes the agent that section `agent` of the file describes.
 *
 * `$require` reaches installed `@veramo/*` packages and the registry, nothing else; all of the file is held to that
 * before anything is loaded. Stores of private keys other than ours are refused.
 *
 * @param registry - what `$require: procura/veramo…` stands for
 * @throws CONFIG_INVALID - with file, line and path; a ProcuraError of the registry's members passes through
 */
export async function createVeramoAgent(file: AgentFile, registry: Registry): Promise<VeramoAgent> {
  for (const { at, required } of file.requirements) parseRequirement(required, at, file, registry)
  const agent = await file.resolve(['agent'], async (required, args, at) => {
    const requirement = parseRequirement(required, at, file, registry)
    requireSealing(requirement, at, file)
    const member = await load(requirement, at, file, registry)
    return follow(await make(requirement, member, args, at, file), requirement.steps, at, file)
  })
  const missing = isAgent(agent) ? NEEDED.filter(name => !agent.availableMethods().includes(name)) : NEEDED
  if (missing.length > 0) throw file.invalid(['agent'], `makes no agent with ${missing.join(', ')}`)
  if (Reflect.get(agent as object, 'schemaValidation') === true) {
    throw file.invalid(['agent'], 'sets schemaValidation, which refuses enveloped credentials; set it to false')
  }
  return agent as VeramoAgent
}

/** What `$require` may not load, or not keep keys with: CONFIG_INVALID for each place. Nothing is loaded. */
export function checkRequirements(file: AgentFile, modules: readonly string[]): readonly ProcuraError[] {
  const registry = Object.fromEntries(modules.map(name => [name, {}]))
  return file.requirements.flatMap(({ at, required }) => {
    try {
      requireSealing(parseRequirement(required, at, file, registry), at, file)
      return []
    } catch (error) {
      if (isProcuraError(error)) return [error]
      throw error
    }
  })
}

function parseRequirement(text: string, at: Path, file: AgentFile, registry: Registry): Requirement {
  const [, module = '', query = '', member] = REQUIRE.exec(text) ?? []
  if (!VERAMO.test(module) && !Object.hasOwn(registry, module)) {
    const own = Object.keys(registry)
      .map(name => `, ${name}`)
      .join('')
    throw file.invalid(at, `$require may load @veramo/<package>${own}; not ${module === '' ? text : module}`)
  }
  const parameters = [...new URLSearchParams(query)]
  const names = parameters.map(([name]) => name)
  if (names.some((name, index) => !['t', 'p'].includes(name) || names.indexOf(name) !== index)) {
    throw file.invalid(at, '$require takes ?t=class|function|object and &p=/pointer, once each')
  }
  const { t: type = 'class', p: pointer = '' } = Object.fromEntries(parameters) as { t?: string; p?: string }
  if (!TYPES.includes(type)) throw file.invalid(at, `$require: t is ${type}, not one of ${TYPES.join(', ')}`)
  if (pointer !== '' && !pointer.startsWith('/'))
    throw file.invalid(at, '$require: p is not a JSON pointer: write /member')
  if (member === undefined && type !== 'object')
    throw file.invalid(at, `$require names no member: write ${module}#Member`)
  const steps = pointer
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  return { module, member: member ?? null, type, steps }
}

async function load({ module, member }: Requirement, at: Path, file: AgentFile, registry: Registry): Promise<unknown> {
  const loaded = Object.hasOwn(registry, module) ? registry[module] : await importVeramo(module, at, file)
  return member === null ? loaded : follow(loaded, [member], at, file)
}

async function importVeramo(module: string, at: Path, file: AgentFile): Promise<unknown> {
  try {
    return await import(module)
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND'
    throw file.invalid(at, absent ? `${module} is not installed` : `${module} cannot be loaded`, { cause })
  }
}

/** Own members only: `#constructor` and `p=/__proto__` would lead to what every object has. */
function follow(start: unknown, steps: readonly string[], at: Path, file: AgentFile): unknown {
  let value = start
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) {
      throw file.invalid(at, `$require: there is no ${step} there`)
    }
    value = (value as Readonly<Record<string, unknown>>)[step]
  }
  return value
}

async function make(
  { module, member, type }: Requirement,
  required: unknown,
  args: readonly unknown[],
  at: Path,
  file: AgentFile,
): Promise<unknown> {
  if (type === 'object') return required
  if (typeof required !== 'function') throw file.invalid(at, `$require: ${module}#${member ?? ''} is not a ${type}`)
  try {
    return type === 'class'
      ? (Reflect.construct(required, args) as unknown)
      : await (Reflect.apply(required, undefined, args) as unknown)
  } catch (cause) {
    if (isProcuraError(cause)) throw cause
    const message = cause instanceof Error ? cause.message : String(cause)
    throw file.invalid(at, `${module}#${member ?? ''} cannot be made: ${withoutTexts(message, args)}`, { cause })
  }
}

/** Libraries quote what they were given, and what they were given may be a secret. */
function withoutTexts(message: string, value: unknown): string {
  if (typeof value === 'string') return value.length < 8 ? message : message.replaceAll(value, '…')
  if (typeof value !== 'object' || value === null) return message
  if (!Array.isArray(value) && Object.getPrototypeOf(value) !== Object.prototype) return message
  return Object.values(value).reduce<string>(withoutTexts, message)
}

/** Veramo's own stores keep private keys in the clear, in memory only, or under one key that is never changed. */
function requireSealing({ member }: Requirement, at: Path, file: AgentFile): void {
  if (member === null || !/PrivateKeyStore$/.test(member)) return
  throw file.invalid(at, 'would keep private keys of its own; use procura/veramo#ProcuraKeyManagementSystem')
}

function isAgent(value: unknown): value is IAgent {
  return typeof value === 'object' && value !== null && 'availableMethods' in value
}
