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
import type { Json } from '../../json.js'
import { formatPath, type Path } from './agent-template.js'

/** A YAML file as JSON, and where in it things stand. */
export interface YamlFile {
  readonly value: Json
  /** The line, from 1, where the path stands; of its nearest ancestor if nothing stands there. */
  readonly locate: (path: Path) => number
  /** CONFIG_INVALID that names file, line and path. */
  readonly invalid: (path: Path, why: string, options?: ErrorOptions) => ProcuraError<'CONFIG_INVALID'>
}

const MAX_BYTES = 262_144
const MAX_NESTING = 32
const RESERVED = new Set(['__proto__', 'constructor', 'prototype', '<<'])

/** Reads YAML 1.2, or JSON, without anchors, tags and directives. @throws CONFIG_INVALID - with file and line */
export async function readYamlFile(path: string): Promise<YamlFile> {
  const { problems, ...file } = inspectYaml(path, await readText(path))
  const [problem] = problems
  if (problem !== undefined) throw problem
  return file
}

/**
 * Reads the text of a YAML file as {@link readYamlFile} does, and finds everything that is wrong with it.
 *
 * @param path - as messages will name the file
 * @returns CONFIG_INVALID for each place; `null` for a text that cannot be read at all, and for what is wrong in it
 */
export function inspectYaml(path: string, text: string): YamlFile & { readonly problems: readonly ProcuraError[] } {
  const lines = new LineCounter()
  const { document, problems } = parse(text, lines, path)
  const locate = (at: Path): number => lines.linePos(offsetOf(document?.contents ?? null, at)).line
  const invalid: YamlFile['invalid'] = (at, why, options) => {
    const place = at.length === 0 ? '' : ` ${formatPath(at)}`
    return new ProcuraError('CONFIG_INVALID', { at: `${path}:${locate(at)}${place}`, why }, options)
  }
  const report = (at: Path, why: string): null => {
    problems.push(invalid(at, why))
    return null
  }
  const value = document === null ? null : toJson(document.contents, [], report)
  return { value, locate, invalid, problems }
}

/** The text of a file, at most 256 KiB of UTF-8. @throws CONFIG_INVALID */
export async function readText(path: string): Promise<string> {
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

function parse(
  text: string,
  lineCounter: LineCounter,
  path: string,
): { readonly document: Document.Parsed | null; readonly problems: ProcuraError[] } {
  const refuse = (line: number, why: string) => new ProcuraError('CONFIG_INVALID', { at: `${path}:${line}`, why })
  for (const token of new Parser().parse(text)) {
    const offset = tooDeep(token)
    if (offset === null) continue
    const line = text.slice(0, offset).split('\n').length
    return { document: null, problems: [refuse(line, `nests deeper than ${MAX_NESTING} levels`)] }
  }
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    stringKeys: true,
    prettyErrors: false,
    lineCounter,
  })
  const problems = [...document.errors, ...document.warnings]
    .sort((a, b) => a.pos[0] - b.pos[0])
    .map(({ pos, message }) => refuse(lineCounter.linePos(pos[0]).line, `YAML: ${message}`))
  if (document.directives.yaml.explicit === true || Object.keys(document.directives.tags).length > 1) {
    problems.push(refuse(1, 'YAML: directives (%) are not read here'))
  }
  return { document: problems.length === 0 ? document : null, problems }
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
function toJson(node: Node | null, at: Path, report: (at: Path, why: string) => null): Json {
  if (node === null) return null
  if (isAlias(node) || node.anchor !== undefined) return report(at, 'YAML anchors are not read here; use $ref')
  if (node.tag !== undefined) return report(at, 'YAML tags are not read here; write the value plainly')
  if (isSeq(node)) return node.items.map((item, index) => toJson(item as Node | null, [...at, index], report))
  if (isMap(node)) {
    const members = node.items.flatMap(({ key, value }): [string, Json][] => {
      const name = nameOf(key)
      const plain = isScalar(key) && key.anchor === undefined && key.tag === undefined
      if (plain && !RESERVED.has(name)) return [[name, toJson(value as Node | null, [...at, name], report)]]
      report([...at, name], 'is no name to use here')
      return []
    })
    return Object.fromEntries(members)
  }
  const value: unknown = isScalar(node) ? node.value : undefined
  if (typeof value === 'number' && !Number.isFinite(value)) return report(at, 'is not a finite number')
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
