import { ProcuraError } from '../../errors.js'
import { isObject, member, parseJson, type Json } from '../../json.js'
import type { Terminal } from './terminal.js'

/** What is verified, explained or received. */
export type ShownThing =
  | { readonly kind: 'presentation' | 'proof'; readonly token: string }
  /** tokens, root first */
  | { readonly kind: 'chain'; readonly tokens: readonly string[] }

/** Largest file, in bytes: a presentation, or a chain as JSON with what `procura grant -o json` says beside it. */
const MAX_BYTES = 256 * 1024
const TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

/**
 * Reads a token, or a file that holds one, or a chain: a token a line, a JSON list of them, or the JSON of the command that
 * made them. Verifies nothing.
 *
 * @param given - a token, the path of a file, or `-` for standard input
 * @throws NOT_FOUND, INPUT_TOO_LARGE, JSON_SYNTAX, SCHEMA
 */
export async function readShown(given: string, terminal: Terminal): Promise<ShownThing> {
  const text = TOKEN.test(given)
    ? given
    : Buffer.from(await terminal.read(given, MAX_BYTES))
        .toString('utf8')
        .trim()
  const tokens = /^[{[]/.test(text) ? tokensIn(parseJson(Buffer.from(text), given).value, given) : text.split(/\s+/)
  const [first = '', ...rest] = tokens
  const typ = rest.length === 0 ? typOf(first) : 'vc+jwt'
  if (typ === 'vc+jwt') return { kind: 'chain', tokens }
  // what is no token at all is refused as a presentation, with the code that says why
  return { kind: typ === 'agent-proof+jwt' ? 'proof' : 'presentation', token: first }
}

/** Reads a chain; whoever opens it refuses what is none. @throws as {@link readShown} */
export async function readChainFile(given: string, terminal: Terminal): Promise<readonly string[]> {
  const shown = await readShown(given, terminal)
  return shown.kind === 'chain' ? shown.tokens : [shown.token]
}

function tokensIn(value: Json, at: string): readonly string[] {
  const inner = isObject(value)
    ? (member(value, 'chain') ?? member(value, 'presentation') ?? member(value, 'credential'))
    : value
  const list: readonly (Json | undefined)[] = Array.isArray(inner) ? (inner as readonly Json[]) : [inner]
  if (list.length > 0 && list.every(one => typeof one === 'string')) return list
  throw new ProcuraError('SCHEMA', { at, why: 'holds no chain, presentation or credential' })
}

function typOf(token: string): unknown {
  try {
    const { value } = parseJson(Buffer.from(token.split('.')[0] ?? '', 'base64url'), 'header')
    return isObject(value) ? member(value, 'typ') : undefined
  } catch {
    return undefined
  }
}
