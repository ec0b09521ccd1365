import { printable } from '../../errors.js'
import { show, type Output } from './output.js'
import type { Terminal } from './terminal.js'

/** What was made for a first service. */
export interface Made {
  readonly made: readonly { readonly path: string; readonly what: string }[]
  /** DID of the operator, the first admin */
  readonly operator: string
  /** DID of the service */
  readonly issuer: string
  /** DID of a first agent */
  readonly agent: string
  /** commands to copy, in order; a comment after `#` */
  readonly next: readonly string[]
}

/** Says what was made and where, and what to do next. */
export function printMade(all: Made, options: Output, terminal: Terminal): void {
  const { made, operator, issuer, agent, next } = all
  const width = Math.max(...made.map(({ path }) => path.length))
  show(terminal, options, all, () => [
    'made',
    ...made.map(({ path, what }) => printable(`  ${path.padEnd(width)}  ${what}`)),
    `issuer    ${issuer}`,
    `operator  ${operator}`,
    `planner   ${agent}`,
    'next',
    ...next.map(line => printable(`  ${line}`)),
  ])
}
