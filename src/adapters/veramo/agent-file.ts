import { constants, open, type FileHandle } from 'node:fs/promises'
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  Parser,
  type CST,
  type Document,
  type Node,
} from 'yaml'
import { ProcuraError } from '../../errors.js'
import { isObject, type Json } from '../../json.js'
import {
  checkTemplate,
  formatPath,
  resolveTemplate,
  type Construct,
  type Environment,
  type Path,
} from './agent-template.js'

/** A configuration file in Veramo's template syntax whose form is sound. Nothing in it was loaded or made yet. */
export interface AgentFile {
  readonly name: string
  /** every `$require` of the file, used or not */
  readonly requirements: readonly { readonly at: Path; readonly required: string }[]
  /** The line, from 1, where the path stands; of its nearest ancestor if nothing stands there. */
  locate(path: Path): number
  /** CONFIG_INVALID that names file, line and path. */
  invalid(path: Path, why: string, options?: ErrorOptions): ProcuraError<'CONFIG_INVALID'>
  /**
   * The value at the path with `$env`, `$ref` and `$require` put in. What several `$ref` name is made once and shared.
   *
   * @param construct - without it only plain values may stand there
   * @throws CONFIG_INVALID - nothing stands there, a `$ref` leads back to itself, a `$require` where none may stand;
   *   and whatever `construct` throws
   */
  resolve(path: Path, construct?: Construct): Promise<unknown>
}

const MAX_BYTES = 262_144
const MAX_NESTING = 32
const RESERVED = new Set(['__proto__', 'constructor', 'prototype', '<<'])

/**
 * Reads an agent file: YAML 1.2 without anchors, tags and directives, in Veramo's template syntax.
 *
 * The form of all of it is checked at once, also of parts nobody uses: members that start with `$`, what each `$ref`
 * and `$env` names, and that no secret everybody knows stands in it.
 *
 * @param path - as messages will name the file
 * @param env - what `$env` may name; an empty variable counts as missing
 * @throws CONFIG_INVALID
 * @see https://veramo.io/docs/veramo_agent/configuration_internals
 */
export async function readAgentFile(path: string, env: Environment): Promise<AgentFile> {
  const { value: content, locate, invalid } = await readYamlFile(path)
  if (!isObject(content)) throw invalid([], 'is not a map of sections; start from the agent.yml of the package')
  if (content['version'] !== 3) throw invalid(['version'], 'is not 3.0, the only version of the syntax known here')
  const source = { content, env, invalid }
  const requirements = checkTemplate(source)
  return {
    name: path,
    requirements,
    locate,
    invalid,
    resolve: (at, construct) => resolveTemplate(at, source, construct),
  }
}

/** A YAML file as JSON, and where in it things stand. */
export interface YamlFile extends Pick<AgentFile, 'locate' | 'invalid'> {
  readonly value: Json
}

/** Reads YAML 1.2, or JSON, without anchors, tags and directives. @throws CONFIG_INVALID - with file and line */
export async function readYamlFile(path: string): Promise<YamlFile> {
  const text = await readText(path)
  const lines = new LineCounter()
  const document = parse(text, lines, path)
  const locate = (at: Path): number => lines.linePos(offsetOf(document.contents, at)).line
  const invalid: AgentFile['invalid'] = (at, why, options) => {
    const place = at.length === 0 ? '' : ` ${formatPath(at)}`
    return new ProcuraError('CONFIG_INVALID', { at: `${path}:${locate(at)}${place}`, why }, options)
  }
  return { value: toJson(document.contents, [], invalid), locate, invalid }
}

async function readText(path: string): Promise<string> {
  const refuse = (why: string, cause?: unknown) => new ProcuraError('CONFIG_INVALID', { at: path, why }, { cause })
  let handle: FileHandle | null = null
  try {
    // a pipe that nobody writes to would be waited for
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await handle.stat()
    if (!stat.isFile()) throw refuse('is not a file; name the agent.yml itself')
    if (stat.size > MAX_BYTES) throw refuse(`has ${stat.size} bytes; shorten it to ${MAX_BYTES}`)
    return new TextDecoder('utf-8', { fatal: true }).decode(await handle.readFile())
  } catch (cause) {
    if (cause instanceof ProcuraError) throw cause
    const code = (cause as NodeJS.ErrnoException).code
    if (code === 'ENOENT') throw refuse('does not exist; copy the one of the package, or name another file', cause)
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw refuse('is not UTF-8; save it as UTF-8', cause)
    throw refuse(`cannot be read (${code ?? 'unknown'}); let this user read it`, cause)
  } finally {
    await handle?.close()
  }
}

function parse(text: string, lineCounter: LineCounter, path: string): Document.Parsed {
  const refuse = (line: number, why: string) => new ProcuraError('CONFIG_INVALID', { at: `${path}:${line}`, why })
  for (const token of new Parser().parse(text)) {
    const offset = tooDeep(token)
    if (offset !== null)
      throw refuse(text.slice(0, offset).split('\n').length, `nests deeper than ${MAX_NESTING} levels`)
  }
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    stringKeys: true,
    prettyErrors: false,
    lineCounter,
  })
  const [problem] = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0])
  if (problem !== undefined) throw refuse(lineCounter.linePos(problem.pos[0]).line, `YAML: ${problem.message}`)
  if (document.directives.yaml.explicit === true || Object.keys(document.directives.tags).length > 1) {
    throw refuse(1, 'YAML: directives (%) are not read here')
  }
  return document
}

/** Asked first, because the library goes down by recursion: when the stack ends, it can take the process along. */
function tooDeep(root: CST.Token): number | null {
  const open: { token: CST.Token; depth: number }[] = [{ token: root, depth: 0 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next
    if (depth > MAX_NESTING) return token.offset
    const inner = token.type === 'document' ? [token.value] : 'items' in token ? token.items.flatMap(partsOf) : []
    for (const one of inner) if (one !== undefined && one !== null) open.push({ token: one, depth: depth + 1 })
  }
  return null
}

function partsOf({ key, value }: CST.CollectionItem): readonly (CST.Token | null | undefined)[] {
  return [key, value]
}

/** Goes down by hand: what the library would read for us (anchors, tags, odd keys) is what has to be refused. */
function toJson(node: Node | null, at: Path, invalid: AgentFile['invalid']): Json {
  if (node === null) return null
  if (isAlias(node) || node.anchor !== undefined) throw invalid(at, 'YAML anchors are not read here; use $ref')
  if (node.tag !== undefined) throw invalid(at, 'YAML tags are not read here; write the value plainly')
  if (isSeq(node)) return node.items.map((item, index) => toJson(item as Node | null, [...at, index], invalid))
  if (isMap(node)) {
    return Object.fromEntries(
      node.items.map(({ key, value }) => {
        const name = nameOf(key)
        const plain = isScalar(key) && key.anchor === undefined && key.tag === undefined
        if (!plain || RESERVED.has(name)) throw invalid([...at, name], 'is no name to use here')
        return [name, toJson(value as Node | null, [...at, name], invalid)]
      }),
    )
  }
  const value: unknown = isScalar(node) ? node.value : undefined
  if (typeof value === 'number' && !Number.isFinite(value)) throw invalid(at, 'is not a finite number')
  return value as Json
}

function nameOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : ''
}

function offsetOf(root: Node | null, path: Path): number {
  let node = root
  let offset = root?.range?.[0] ?? 0
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => nameOf(key) === String(step))
      if (pair === undefined) break
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value as Node | null
    } else if (isSeq(node)) {
      node = (node.items[Number(step)] ?? null) as Node | null
      offset = node?.range?.[0] ?? offset
    } else break
  }
  return offset
}
