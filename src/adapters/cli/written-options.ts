import type { Command } from 'commander'
import { readWritten, type Written } from '../../authority/written.js'
import { s256 } from '../../encoding.js'
import { isObject, type Json, type JsonObject } from '../../json.js'
import { usageFault } from './problem.js'
import type { Terminal } from './terminal.js'

/** Options of `grant` and `delegate`: authority in its short form, or a file. */
export interface WrittenOptions {
  readonly to?: string
  readonly ttl?: string
  readonly resource?: readonly string[]
  readonly action?: readonly string[]
  readonly arg?: readonly string[]
  readonly args?: boolean
  readonly perCall?: boolean
  readonly budget?: readonly string[]
  readonly rate?: string
  readonly more?: string
  readonly audience?: readonly string[]
  readonly recipient?: readonly string[]
  readonly onBehalfOf?: string
  readonly purposeFile?: string
  readonly file?: string
}

/** What reading them needs. */
export interface WrittenWorld {
  readonly terminal: Terminal
  /** @throws CONFIG_INVALID - with file and line */
  readonly readYaml: (path: string) => Promise<{
    readonly value: Json
    locate(path: readonly (string | number)[]): number
  }>
}

/** Largest mission text, in bytes. */
const MAX_PURPOSE = 1024 * 1024
/** Options that say what a file says. */
const IN_FILE = [
  'resource',
  'action',
  'arg',
  'args',
  'perCall',
  'budget',
  'rate',
  'more',
  'audience',
  'recipient',
  'onBehalfOf',
] as const
/** Members of what is written, and the options they come from. */
const OPTIONS: readonly (readonly [RegExp, string])[] = [
  [/^grants\[\d+\]\.resource/, '--resource'],
  [/^grants\[\d+\]\.actions/, '--action'],
  [/^grants\[\d+\]\.args\.?/, '--arg '],
  [/^budgets\[\d+\]/, '--budget'],
  [/^audience/, '--audience'],
  [/^recipients|^to\[/, '--recipient'],
  [/^onBehalfOf/, '--on-behalf-of'],
  [/^(to|ttl|rate|more)\b/, '--$1'],
]

/** Adds the options that write authority. */
export function withWritten(command: Command): Command {
  const many = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value]
  return command
    .option('--to <did>', 'who receives it')
    .option('--ttl <duration>', 'how long it lives: 90s, 30m, 12h')
    .option('-r, --resource <url>', 'a resource; with /** at its end everything below it; may be repeated', many)
    .option('-a, --action <name>', 'an action on the resources; may be repeated', many)
    .option('--arg <name=constraint>', 'bounds an argument: amount=range:0..2000USD; may be repeated', many)
    .option('--no-args', 'the actions take no arguments')
    .option('--per-call', 'a person approves each call')
    .option('--budget <amount>', "all calls together: '2000USD of amount on book', '5 calls'; may be repeated", many)
    .option('--rate <max/period>', 'calls at most: 10/min')
    .option('--more <hops>', 'over how many hops it may be handed on (default: none)')
    .option('--audience <origin>', 'verifiers it is for (default: the origins of the resources); may be repeated', many)
    .option(
      '--recipient <did>',
      'who may receive it further down: a DID, or one that ends in :**; may be repeated',
      many,
    )
    .option('--on-behalf-of <did>', 'the accountable principal')
    .option('--purpose-file <path>', 'the text of the mission; its SHA-256 goes in')
    .option(
      '-f, --file <path>',
      'the authority in YAML or JSON instead; --to, --ttl and --purpose-file may be given beside',
    )
}

/**
 * Reads authority from options or from the file they name.
 *
 * @throws SCHEMA and the codes of an authority, with the option or the line; CONFIG_INVALID - no YAML; a usage fault
 */
export async function readWrittenOptions(options: WrittenOptions, world: WrittenWorld): Promise<Written> {
  const purpose = await purposeOf(options, world)
  if (options.file === undefined) {
    return readWritten({ ...fromOptions(options), ...purpose }, member => optionOf(member))
  }
  const beside = IN_FILE.find(name => options[name] !== undefined && !(name === 'args' && options.args === true))
  if (beside !== undefined) throw usageFault(`--file says all; --${kebab(beside)} goes without it`)
  const file = await world.readYaml(options.file)
  const over = { ...defined({ to: options.to, ttl: options.ttl }), ...purpose }
  const value = isObject(file.value) ? { ...file.value, ...over } : file.value
  const path = options.file
  return readWritten(value, member => {
    const steps = (member.match(/[^.[\]]+/g) ?? []).map(step => (/^\d+$/.test(step) ? Number(step) : step))
    return `${path}:${file.locate(steps)} ${member}`.trimEnd()
  })
}

async function purposeOf({ purposeFile }: WrittenOptions, { terminal }: WrittenWorld): Promise<JsonObject> {
  if (purposeFile === undefined) return {}
  return { purpose: { s256: s256(await terminal.read(purposeFile, MAX_PURPOSE)) } }
}

/** All resources get the same actions and arguments; what differs is written in a file. */
function fromOptions(options: WrittenOptions): JsonObject {
  const { to, ttl, resource = [], action = [], arg = [], args = true, perCall, budget, rate, more, audience } = options
  if (resource.length === 0 || action.length === 0) throw usageFault('--resource and --action are due, or --file')
  if (!args && arg.length > 0) throw usageFault('--no-args goes without --arg')
  const named = Object.fromEntries(arg.map(one => splitArgument(one)))
  if (Object.keys(named).length < arg.length)
    throw usageFault('an argument is bounded twice: --arg takes each name once')
  const bounds = args && arg.length === 0 ? {} : { args: named }
  const grants = resource.map(one => ({
    resource: one,
    actions: [...action],
    ...bounds,
    ...(perCall === true ? { perCall } : {}),
  }))
  const { recipient: recipients, onBehalfOf } = options
  return {
    grants,
    ...defined({ to, ttl, rate, audience, budgets: budget, recipients, onBehalfOf }),
    ...(more === undefined ? {} : { more: /^\d{1,3}$/.test(more) ? Number(more) : more }),
  }
}

function splitArgument(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw usageFault(`--arg is NAME=CONSTRAINT: ${text}`)
  return [text.slice(0, at), text.slice(at + 1)]
}

function optionOf(member: string): string {
  const found = OPTIONS.find(([pattern]) => pattern.test(member))
  return found === undefined ? member : member.replace(...found).trimEnd()
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, one => `-${one.toLowerCase()}`)
}

function defined(values: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(values).filter((one): one is [string, Json] => one[1] !== undefined))
}
