import { printable, type Code } from '../../errors.js'
import { show, type Output } from './output.js'
import type { Terminal } from './terminal.js'

/** Something wrong with a configuration. */
export interface Finding {
  /** an error keeps the service from starting */
  readonly level: 'error' | 'warning'
  readonly file: string
  /** from 1; of the place, or of what names the file */
  readonly line: number | null
  /** as in `procura.listen.host` */
  readonly path: string
  readonly code: Code
  readonly why: string
  readonly remedy: string
}

/**
 * Prints everything that was found.
 *
 * @returns 78 if there is an error, else 0
 */
export function printFindings(file: string, findings: readonly Finding[], options: Output, terminal: Terminal): number {
  const errors = findings.filter(({ level }) => level === 'error').length
  const counts = { errors, warnings: findings.length - errors }
  const lines = [
    ...findings.flatMap(({ level, code, remedy, ...found }) => [
      `${level === 'error' ? '✗' : '!'} ${placeOf(found)}`,
      `    ${code}: ${printable(found.why)}`,
      `    → ${printable(remedy)}`,
    ]),
    `${printable(file)}: ${counts.errors} errors, ${counts.warnings} warnings`,
  ]
  show(terminal, options, { file, ...counts, findings }, () => lines)
  return errors > 0 ? 78 : 0
}

function placeOf({ file, line, path }: Pick<Finding, 'file' | 'line' | 'path'>): string {
  return printable([`${file}${line === null ? '' : `:${line}`}`, path].filter(one => one !== '').join(' '))
}
