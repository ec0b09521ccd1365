import { isProcuraError, printable, type Kind } from '../../errors.js'

/** Exit codes by kind, after sysexits: 65 malformed, 69 and 75 unavailable, 77 refused, 78 misconfigured. */
const EXIT: Readonly<Record<Kind, number>> = {
  malformed: 65,
  unauthenticated: 77,
  forbidden: 77,
  unknown: 66,
  conflict: 73,
  limited: 75,
  unavailable: 69,
  misconfigured: 78,
}

/** What a command that failed prints and exits with. Defects keep their stack; refusals are one line. */
export function toExit(error: unknown): { readonly line: string; readonly code: number } {
  if (isProcuraError(error)) return { line: error.message, code: EXIT[error.kind] }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { line: text.split('\n').map(printable).join('\n'), code: 70 }
}
