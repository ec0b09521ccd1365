import type { Finding } from '../adapters/cli/config-check.js'
import { checkRequirements } from '../adapters/veramo/agent.js'
import { inspectAgentFile, type AgentFile } from '../adapters/veramo/agent-file.js'
import { readText } from '../adapters/veramo/yaml-file.js'
import { ProcuraError } from '../errors.js'
import { inspectConfig, type Config } from './config.js'
import { checkFiles } from './config-files.js'
import { checkPolicies } from './config-policies.js'
import { withAdvice, type Looking, type Report } from './config-report.js'
import { checkSecrets } from './config-secrets.js'
import { checkSetting } from './config-setting.js'

/** A configuration, and everything that was found. */
export interface CheckedConfig {
  /** `null` if its form is wrong */
  readonly config: Config | null
  readonly file: AgentFile
  readonly findings: readonly Finding[]
}

const CHECKS = [checkSetting, checkSecrets, checkFiles, checkPolicies] as const

/**
 * Finds what is wrong with a configuration, all at once: its form, secrets that everybody knows or can read, files that
 * cannot be used, policies, and settings that contradict each other. Nothing is made and nobody is asked.
 *
 * @param text - of the agent file, if it is not the one that stands there
 * @throws CONFIG_INVALID - there is no file to read
 */
export async function checkConfig(
  path: string,
  environment: Looking['environment'],
  text?: string,
): Promise<CheckedConfig> {
  const { file, problems } = inspectAgentFile(path, text ?? (await readText(path)), environment)
  const { config, known, problems: more } = await inspectConfig(file, environment)
  const form = [...problems, ...checkRequirements(file, ['procura/veramo']), ...more]
  const findings = form.map(asFinding)
  // a file that is no YAML would be told to lack everything
  if (Object.keys(file.content).length === 0) return { config, file, findings: findings.slice(0, problems.length) }
  const report: Report = ({ at, ...found }) => {
    findings.push({ ...found, file: path, line: file.locate(at), path: nameOf(file, at) })
  }
  for (const check of CHECKS) await check({ file, known, environment, report })
  return { config, file, findings: distinct(findings) }
}

/**
 * Requires what a start would not run into by itself: files that are of no use tell so when they are opened.
 *
 * @throws CONFIG_INVALID - the first error of the configuration, and how many there are
 */
export async function requireSound(path: string, environment: Looking['environment']): Promise<void> {
  const { findings } = await checkConfig(path, environment)
  const errors = findings.filter(({ level, code }) => level === 'error' && code === 'CONFIG_INVALID')
  const [first] = errors
  if (first === undefined) return
  const more = errors.length === 1 ? '' : ` (${errors.length} errors in all: procura config check)`
  throw new ProcuraError('CONFIG_INVALID', {
    at: `${first.file}:${first.line ?? 1} ${first.path}`,
    why: `${first.why}; ${first.remedy}${more}`,
  })
}

/** Messages of the agent file say the place first. */
function asFinding(error: ProcuraError): Finding {
  const [, file = '', line, path = ''] = /^(.*?):(\d+)(?: (.*))?$/s.exec(String(error.facts['at'])) ?? []
  return {
    level: 'error',
    file,
    line: line === undefined ? null : Number(line),
    path,
    code: error.code,
    ...withAdvice(String(error.facts['why']), error),
  }
}

function nameOf(file: AgentFile, at: readonly PropertyKey[]): string {
  const { facts } = file.invalid(at, '')
  return String(facts['at']).replace(/^.*?:\d+ ?/s, '')
}

function distinct(findings: readonly Finding[]): readonly Finding[] {
  const nameOf = ({ path, why }: Finding): string => `${path} ${why}`
  const first = new Map(findings.map(one => [nameOf(one), one] as const).reverse())
  return findings
    .filter(one => first.get(nameOf(one)) === one)
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || a.level.localeCompare(b.level))
}
