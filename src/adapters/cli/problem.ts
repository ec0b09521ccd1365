import { CommanderError } from 'commander'
import { ERRORS, isProcuraError, printable, type Code, type Kind } from '../../errors.js'

/** Exit codes by kind, after sysexits: 65 malformed, 69 and 75 unavailable, 77 refused, 78 misconfigured. */
export const EXIT: Readonly<Record<Kind, number>> = {
  malformed: 65,
  unauthenticated: 77,
  forbidden: 77,
  unknown: 66,
  conflict: 73,
  limited: 75,
  unavailable: 69,
  misconfigured: 78,
}
/** Exit code of a command line that cannot be read. */
export const USAGE = 64
const DEFECT = 70

/** What a command that failed tells and exits with. */
export interface Failure {
  /** the exit code */
  readonly code: number
  /** for people */
  readonly lines: string
  /** for programs: one line of JSON */
  readonly json: string
}

/** A command line that cannot be read, or asks for what does not go together; exit code 64. */
export function usageFault(why: string): CommanderError {
  return new CommanderError(USAGE, 'procura.usage', why)
}

/** What was thrown, as a failure. Defects keep their stack, for people only; refusals are one line. */
export function toFailure(error: unknown): Failure {
  if (isProcuraError(error)) return failure(EXIT[error.kind], error.code, error.kind, error.message)
  if (error instanceof CommanderError) return failure(USAGE, 'USAGE', 'malformed', printable(error.message))
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { ...failure(DEFECT, 'INTERNAL', 'misconfigured', 'a defect'), lines: `procura: ${linewise(text)}` }
}

function failure(exit: number, code: Code | 'USAGE', kind: Kind, detail: string): Failure {
  const advice = code === 'USAGE' ? 'add --help for the options and an example' : ERRORS[code][2]
  return { code: exit, lines: `procura: ${detail}`, json: JSON.stringify({ code, kind, detail, advice, exit }) }
}

function linewise(text: string): string {
  return text.split('\n').map(printable).join('\n')
}
