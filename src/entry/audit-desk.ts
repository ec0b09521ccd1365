import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { bundleOf } from '../adapters/audit/bundle.js'
import { KEY } from '../adapters/audit/files.js'
import { prunable, prune } from '../adapters/audit/prune.js'
import { provingLog } from '../adapters/audit/proofs.js'
import { verifyLog } from '../adapters/audit/verify.js'
import { openSearch } from '../adapters/audit/search.js'
import {
  exportCommand,
  pruneCommand,
  queryCommand,
  questionOf,
  verifyCommand,
  type AuditDesk,
  type PruneOptions,
  type QueryOptions,
  type QuestionOptions,
} from '../adapters/cli/audit.js'
import { show, type Output } from '../adapters/cli/output.js'
import { systemClock } from '../adapters/system.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { openCheckpoint, type Checkpoint } from '../audit/checkpoint.js'
import { parseKey, type NoteKey } from '../audit/note.js'
import type { Question } from '../audit/question.js'
import { ProcuraError } from '../errors.js'
import type { Json } from '../json.js'
import { versionOf } from '../policy/policy.js'
import { fileAudit } from './audit.js'
import { readConfig } from './config.js'
import { readJsonFile } from './parts.js'
import type { Shell } from './program.js'

/** Options that say which log is meant, and what is known of it. */
export interface LogOptions {
  readonly config: string
  readonly key?: string
  readonly earlier?: readonly string[]
  readonly policy?: readonly string[]
}

/** Prints the public key of a log. @throws NOT_FOUND, CONFIG_INVALID */
export async function auditKey(named: string | undefined, options: LogOptions & Output, shell: Shell): Promise<void> {
  const { text } = await publicKeyOf(await folderOf(named, options, shell))
  show(shell.terminal, options, { key: text }, () => [text])
}

/** Reads a whole log, and names what was changed. @returns the exit code @throws NOT_FOUND, CONFIG_INVALID */
export async function auditVerify(
  named: string | undefined,
  options: LogOptions & Output,
  shell: Shell,
): Promise<number> {
  return verifyCommand(options, await deskOf(named, options, shell))
}

/** Prints a bundle. @throws NOT_FOUND, CONFIG_INVALID, SCHEMA */
export async function auditExport(
  named: string | undefined,
  options: LogOptions & QuestionOptions,
  shell: Shell,
): Promise<void> {
  await exportCommand(await deskOf(named, options, shell))
}

/** Prints the records that are meant. @throws NOT_FOUND, CONFIG_INVALID, SCHEMA */
export async function auditQuery(
  named: string | undefined,
  { config, key: text, ...options }: LogOptions & QueryOptions,
  shell: Shell,
): Promise<void> {
  const folder = await folderOf(named, { config }, shell)
  const search = await openSearch(folder, await keyOf(folder, text))
  try {
    const log = { ask: async (question: Question, limit: number) => (await search.ask(question, limit)).records }
    await queryCommand(options, { log, terminal: shell.terminal })
  } finally {
    await search.close()
  }
}

/** Takes the content of old records away. @throws NOT_FOUND, CONFIG_INVALID, SCHEMA, AUDIT_UNAVAILABLE */
export async function auditPrune(
  named: string | undefined,
  options: LogOptions & PruneOptions,
  shell: Shell,
): Promise<void> {
  const folder = await folderOf(named, options, shell)
  await pruneCommand(options, {
    terminal: shell.terminal,
    count: async before => prunable(folder, await keyOf(folder, undefined), before),
    async prune(count) {
      const log = await fileAudit(folder)
      await prune(folder, log, count, systemClock).finally(() => log.close())
    },
  })
}

async function deskOf(
  named: string | undefined,
  options: LogOptions & QuestionOptions,
  shell: Shell,
): Promise<AuditDesk> {
  const folder = await folderOf(named, options, shell)
  const key = await keyOf(folder, options.key)
  const earlier = await Promise.all((options.earlier ?? []).map(file => readEarlier(file, key)))
  const log = {
    verify: (onDone: (done: number, all: number) => void) => verifyLog(folder, key, earlier, onDone),
    async *bundle() {
      const policies = Object.fromEntries(await Promise.all((options.policy ?? []).map(readVersioned)))
      const proving = await provingLog(folder, key)
      const indexes = await numbersOf(folder, key, questionOf(options), proving.checkpoint.size)
      yield* bundleOf(proving, key, { indexes, earlier, policies })
    },
  }
  return { log, terminal: shell.terminal, stream: process.stderr }
}

async function folderOf(
  folder: string | undefined,
  { config }: Pick<LogOptions, 'config'>,
  { environment }: Shell,
): Promise<string> {
  return folder ?? (await readConfig(await readAgentFile(config, environment), environment)).audit[0] ?? ''
}

/** Numbers of the records that are meant and stand under the checkpoint; `null` if nothing is asked: the whole log. */
async function numbersOf(
  folder: string,
  key: NoteKey,
  question: Question | null,
  size: number,
): Promise<readonly number[] | null> {
  if (question === null) return null
  const search = await openSearch(folder, key)
  try {
    const numbers = await search.numbers(question)
    return numbers.filter(number => number < size).sort((a, b) => a - b)
  } finally {
    await search.close()
  }
}

async function keyOf(folder: string, pinned: string | undefined): Promise<NoteKey> {
  return pinned === undefined ? (await publicKeyOf(folder)).key : parseKey(pinned)
}

async function publicKeyOf(folder: string): Promise<{ readonly text: string; readonly key: NoteKey }> {
  const text = await readFile(join(folder, KEY), 'utf8').catch((cause: unknown) => {
    throw new ProcuraError('NOT_FOUND', { what: `log in ${folder} (no ${KEY})` }, { cause })
  })
  return { text: text.trim(), key: parseKey(text.trim()) }
}

async function readEarlier(file: string, key: NoteKey): Promise<Checkpoint> {
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new ProcuraError('NOT_FOUND', { what: `readable file ${file}` }, { cause })
  })
  return openCheckpoint(bytes, key)
}

async function readVersioned(file: string): Promise<[string, Json]> {
  const policy = await readJsonFile(file)
  return [versionOf(policy, file), policy]
}
