import type { Finding } from '../adapters/cli/config-check.js'
import type { AgentFile } from '../adapters/veramo/agent-file.js'
import { ERRORS, isProcuraError, type ProcuraError } from '../errors.js'
import type { Config } from './config.js'

/** Where a check of a configuration puts what it found. */
export type Report = (found: Omit<Finding, 'file' | 'line' | 'path'> & { readonly at: readonly PropertyKey[] }) => void

/** What a check looks at: the members that are sound, and how to name a place. */
export interface Looking {
  readonly file: AgentFile
  readonly known: Partial<Config>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly report: Report
}

/** Whatever was thrown, as what is wrong at a place. */
export function refusalAt(at: readonly PropertyKey[], error: unknown): Parameters<Report>[0] {
  if (!isProcuraError(error)) throw error
  const { at: where, why } = error.facts
  const told = error.code === 'CONFIG_INVALID' ? `${String(where)}: ${String(why)}` : error.message
  return { level: 'error', at, code: error.code, ...withAdvice(withoutCode(told, error), error) }
}

/** Messages that say what to do say it after a semicolon. */
export function withAdvice(text: string, { code }: ProcuraError): Pick<Finding, 'why' | 'remedy'> {
  const [, why, remedy] = /^(.*); (?!not )([^;:]+)$/s.exec(text) ?? []
  if (why !== undefined && remedy !== undefined) return { why, remedy }
  return { why: text, remedy: /is not set$/.test(text) ? 'set it' : ERRORS[code][2] }
}

function withoutCode(text: string, { code }: ProcuraError): string {
  return text.startsWith(`${code}: `) ? text.slice(code.length + 2) : text
}
