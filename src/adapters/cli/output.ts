import { Option, type Command } from 'commander'
import { printable } from '../../errors.js'
import type { Terminal } from './terminal.js'

/** What a command says of itself, in `--help`, in `docs/cli.md` and to the shell. */
export interface Manual {
  /** a command line without the name of the program */
  readonly example: string
  /** what `-o json` prints, in a line; only of a command that prints data */
  readonly json?: string
  /** further forms of the output */
  readonly forms?: readonly string[]
}

/** Form of a command's output. */
export interface Output {
  readonly output: 'json' | 'table'
}

const manuals = new WeakMap<Command, Manual>()

/** Gives a command its example and, where it prints data, `-o json|table`. The one place where that option is made. */
export function withManual(command: Command, manual: Manual): Command {
  const { example, json, forms = [] } = manual
  manuals.set(command, manual)
  if (json !== undefined) {
    command.addOption(
      new Option('-o, --output <form>', 'form of the output').choices(['json', 'table', ...forms]).default('table'),
    )
  }
  return command.addHelpText('after', `\nExample:\n  procura ${example}`)
}

/** What a command says of itself; `undefined` for a group of commands. */
export function manualOf(command: Command): Manual | undefined {
  return manuals.get(command)
}

/** True if a command line asks for JSON, also one that is refused before its options are read. */
export function asksForJson(args: readonly string[]): boolean {
  const end = args.indexOf('--')
  const before = end === -1 ? args : args.slice(0, end)
  return before.some(
    (one, n) => /^(-o=?|--output=)json$/.test(one) || (one === 'json' && /^(-o|--output)$/.test(before[n - 1] ?? '')),
  )
}

/** Prints an answer: one line of JSON for programs, or lines for people. */
export function show(terminal: Terminal, { output }: Output, answer: unknown, lines: () => readonly string[]): void {
  if (output === 'json') terminal.print(JSON.stringify(answer))
  else for (const line of lines()) terminal.print(line)
}

/** Warns a person; where JSON is asked for, the answer holds the warnings and nothing is told beside it. */
export function warn(terminal: Terminal, { output }: Output, warnings: readonly string[]): void {
  if (output === 'table') for (const one of warnings) terminal.tell(`warning: ${printable(one)}`)
}

/** Rows under each other, columns in line; the first row is the head. */
export function columns(rows: readonly (readonly unknown[])[]): readonly string[] {
  const cells = rows.map(row => row.map(textOf))
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map(row => row[column]?.length ?? 0)))
  return cells.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** A line for each member: its name and its value; members that are `null` are left out. */
export function members(answer: object, width = 13): readonly string[] {
  return Object.entries(answer)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => `${name.padEnd(width)} ${textOf(value)}`)
}

/** A value in one line, safe to show. */
export function textOf(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value ?? ''))
}
