import { printable } from '../../errors.js'
import { toDate } from '../../time.js'

/** What a revocation would end, as the service answers. */
export interface Blast {
  readonly credentials: readonly string[]
  readonly descendants: number
  readonly agents: readonly string[]
  readonly reservations: readonly string[]
  readonly tree: readonly Node[]
}

interface Node {
  readonly digest: string
  readonly parent: string | null
  readonly agent: string
  readonly validUntil: number
  readonly grants: readonly { readonly resource: string; readonly actions: readonly string[] }[]
}

/** What would end, for people: who holds what, and below what. */
export function treeLines({ credentials, descendants, agents, reservations, tree }: Blast): readonly string[] {
  const below = new Map<string | null, Node[]>()
  for (const node of tree) below.set(node.parent, [...(below.get(node.parent) ?? []), node])
  const lines = (parent: string | null, indent: string): string[] => {
    const nodes = below.get(parent) ?? []
    return nodes.flatMap((node, n) => {
      const isLast = n === nodes.length - 1
      const [branch, trunk] = parent === null ? ['', ''] : isLast ? ['└─ ', '   '] : ['├─ ', '│  ']
      return [`${indent}${branch}${lineOf(node)}`, ...lines(node.digest, `${indent}${trunk}`)]
    })
  }
  const open = reservations.length === 0 ? '' : `; open reservations: ${reservations.join(' ')}`
  return [
    `would end ${credentials.length} credentials of ${agents.length} holders, ${descendants} of them below those named${open}`,
    ...lines(null, ''),
  ].map(printable)
}

function lineOf({ digest, agent, validUntil, grants }: Node): string {
  const what = grants.map(({ resource, actions }) => `${actions.join(', ')} on ${resource}`).join('; ')
  return `${agent}  ${what === '' ? 'identity' : what}  until ${toDate(validUntil)}  ${digest}`
}
