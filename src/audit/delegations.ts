import { isDid } from '../did/did.js'
import { isDigest } from '../encoding.js'
import { printable } from '../errors.js'
import { member, type Json, type JsonObject } from '../json.js'

/** Who got authority from whom, by which credential, and what came of it. */
export interface Delegate {
  readonly did: string
  /** digest of the credential; `null` for a root, which nobody granted to */
  readonly digest: string | null
  /** decisions about calls it made itself */
  readonly allowed: number
  readonly denied: number
  /** codes of what was denied, each once */
  readonly codes: readonly string[]
  readonly to: readonly Delegate[]
}

interface Growing extends Omit<Delegate, 'to' | 'codes'> {
  allowed: number
  denied: number
  readonly codes: Set<string>
  readonly to: Map<string, Growing>
}

/** The delegations that decisions tell of, a tree for each root, in the order in which they were seen. */
export function delegationsOf(records: readonly JsonObject[]): readonly Delegate[] {
  const roots = new Map<string, Growing>()
  for (const record of records) {
    const [root, path, digests] = [
      member(record, 'root'),
      textsOf(member(record, 'path')),
      textsOf(member(record, 'digests')),
    ]
    if (member(record, 'type') !== 'decision' || !isDid(root)) continue
    let node = grown(roots, root, null)
    for (const [at, did] of path.entries()) {
      const digest = digests[at]
      if (isDid(did) && isDigest(digest)) node = grown(node.to, did, digest)
    }
    const code = member(record, 'code')
    if (member(record, 'allow') === true) node.allowed += 1
    else node.denied += 1
    if (typeof code === 'string') node.codes.add(code)
  }
  return finished(roots)
}

/** The trees as text, a line for each delegate. */
export function formatDelegations(roots: readonly Delegate[]): readonly string[] {
  const lines = (nodes: readonly Delegate[], indent: string): readonly string[] =>
    nodes.flatMap((node, at) => {
      const isLast = at === nodes.length - 1
      return [
        `${indent}${isLast ? '└─' : '├─'} ${labelOf(node)}`,
        ...lines(node.to, `${indent}${isLast ? '   ' : '│  '}`),
      ]
    })
  return roots.flatMap(root => [labelOf(root), ...lines(root.to, '')])
}

/** The trees as a Mermaid flowchart. @see https://mermaid.js.org/syntax/flowchart.html */
export function formatMermaid(roots: readonly Delegate[]): readonly string[] {
  const lines = ['flowchart TD']
  let count = 0
  const draw = (node: Delegate, above: string | null): void => {
    const name = `n${(count += 1)}`
    const label = [node.did, ...outcomeOf(node)].map(escaped).join('<br>')
    lines.push(`  ${name}["${label}"]`)
    if (above !== null) lines.push(`  ${above} -- "${escaped(shortOf(node.digest ?? ''))}" --> ${name}`)
    for (const one of node.to) draw(one, name)
  }
  for (const root of roots) draw(root, null)
  return lines
}

function grown(nodes: Map<string, Growing>, did: string, digest: string | null): Growing {
  const key = digest ?? did
  const known = nodes.get(key)
  if (known !== undefined) return known
  const made: Growing = { did, digest, allowed: 0, denied: 0, codes: new Set(), to: new Map() }
  nodes.set(key, made)
  return made
}

function finished(nodes: Map<string, Growing>): readonly Delegate[] {
  return [...nodes.values()].map(node => ({ ...node, codes: [...node.codes], to: finished(node.to) }))
}

function labelOf(node: Delegate): string {
  const digest = node.digest === null ? [] : [shortOf(node.digest)]
  return printable([node.did, ...digest, ...outcomeOf(node)].join('  '))
}

function outcomeOf({ allowed, denied, codes }: Delegate): readonly string[] {
  return [
    ...(allowed > 0 ? [`${allowed} allowed`] : []),
    ...(denied > 0 ? [`${denied} denied (${codes.join(', ')})`] : []),
  ]
}

/** Enough of a digest to tell it from others. */
function shortOf(digest: string): string {
  return digest.length > 14 ? `${digest.slice(0, 13)}…` : digest
}

/** Text that ends no label and starts no markup. */
function escaped(text: string): string {
  return printable(text).replace(/[&<>"#]/g, character => `#${character.charCodeAt(0)};`)
}

function textsOf(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(one => typeof one === 'string') : []
}
