import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Option, type Command } from 'commander'
import { bundleOf } from '../adapters/audit/bundle.js'
import { KEY } from '../adapters/audit/files.js'
import { prunable, prune } from '../adapters/audit/prune.js'
import { provingLog } from '../adapters/audit/proofs.js'
import { verifyLog } from '../adapters/audit/verify.js'
import { openSearch } from '../adapters/audit/search.js'
import type { Question } from '../audit/question.js'
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
import { systemClock } from '../adapters/system.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { openCheckpoint, type Checkpoint } from '../audit/checkpoint.js'
import { parseKey, type NoteKey } from '../audit/note.js'
import { ProcuraError } from '../errors.js'
import type { Json } from '../json.js'
import { versionOf } from '../policy/policy.js'
import { fileAudit } from './audit.js'
import { readConfig } from './config.js'
import { readJsonFile } from './parts.js'
import type { Shell } from './program.js'

/** Options that say which log is meant, and what is known of it. */
interface LogOptions {
  readonly config: string
  readonly key?: string
  readonly earlier?: readonly string[]
  readonly policy?: readonly string[]
}

/** Adds `audit` to the command line. */
export function addAuditCommands(program: Command, shell: Shell): void {
  const { terminal, environment } = shell
  const ofLog = (command: Command, example: string): Command =>
    command
      .argument('[folder]', 'the log, if it is not the one of the agent file')
      .option('-c, --config <file>', 'agent file of the service', 'agent.yml')
      .option('-k, --key <text>', 'public key of the log, from where its keeper could not change it')
      .addHelpText('after', `\nExample:\n  procura ${example}`)
  const folderOf = async (folder: string | undefined, { config }: LogOptions): Promise<string> =>
    folder ?? (await readConfig(await readAgentFile(config, environment), environment)).audit[0] ?? ''
  const desk = async (named: string | undefined, options: LogOptions & QuestionOptions): Promise<AuditDesk> => {
    const folder = await folderOf(named, options)
    const key = options.key === undefined ? await publicKeyOf(folder) : parseKey(options.key)
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
    return { log, terminal, stream: process.stderr }
  }
  const EARLIER = ['-e, --earlier <file...>', 'checkpoints that were taken before: they show cuts and forks'] as const

  const audit = program.command('audit').description('the audit log')
  ofLog(audit.command('key').description('print the public key of the log, to pin it elsewhere'), 'audit key').action(
    async (folder: string | undefined, options: LogOptions) => {
      terminal.print((await readFile(join(await folderOf(folder, options), KEY), 'utf8')).trim())
    },
  )
  ofLog(
    audit.command('verify').description('read the whole log, and name what was changed'),
    'audit verify --earlier checkpoint-of-october',
  )
    .option(...EARLIER)
    .addOption(new Option('-o, --output <form>', 'form of the output').choices(['json', 'table']).default('table'))
    .action(async (folder: string | undefined, options: LogOptions & { readonly output: 'json' | 'table' }) => {
      shell.exit(await verifyCommand(options, await desk(folder, options)))
    })
  const asking = (command: Command): Command =>
    command
      .option('--principal <did>', 'on whose behalf')
      .option('--agent <did>', 'who took part: presented, stood in the chain, received, asked, was asked about')
      .option('--resource <url>', 'a resource; with /** at its end everything below it')
      .option('--action <name>', 'an action')
      .option('--decision <outcome>', 'allow, deny, or a code')
      .option('--type <name>', 'decision, commit, release, grant, identity, status, rekey, reconcile …')
      .option('--correlation <trace>', 'the trace a call belonged to')
      .option('--since <time>', 'not before: 2026-11-26T10:00:00Z, or seconds since 1970')
      .option('--until <time>', 'before')
  asking(
    ofLog(
      audit.command('query').description('who did what on whose behalf, under which grant and policy'),
      'audit query --principal did:web:acme.example --since 2026-11-01 -o tree',
    ),
  )
    .option('--limit <count>', 'records at most', '1000')
    .addOption(
      new Option('-o, --output <form>', 'a line for each record, or who delegated to whom in them')
        .choices(['table', 'json', 'tree', 'mermaid'])
        .default('table'),
    )
    .action(async (named: string | undefined, { config, key: text, ...options }: LogOptions & QueryOptions) => {
      const folder = await folderOf(named, { config })
      const key = text === undefined ? await publicKeyOf(folder) : parseKey(text)
      const search = await openSearch(folder, key)
      try {
        const log = { ask: async (question: Question, limit: number) => (await search.ask(question, limit)).records }
        await queryCommand(options, { log, terminal })
      } finally {
        await search.close()
      }
    })
  asking(
    ofLog(
      audit
        .command('export')
        .description(
          'print a bundle that can be checked offline (examples/audit-verifier.js), of all or of what is asked',
        ),
      'audit export --policy data/policies/example.json > bundle.ndjson',
    ),
  )
    .option(...EARLIER)
    .option('-p, --policy <file...>', 'policies to put in; each is found by its version')
    .action(async (folder: string | undefined, options: LogOptions & QuestionOptions) =>
      exportCommand(await desk(folder, options)),
    )
  ofLog(
    audit.command('prune').description('take the content of old records away; their hashes stay'),
    'audit prune --before 2025-11-01 --dry-run',
  )
    .requiredOption('--before <time>', 'what is older than: 2026-11-26T10:00:00Z, or seconds since 1970')
    .option('--dry-run', 'say how many, and change nothing')
    .action(async (named: string | undefined, options: LogOptions & PruneOptions) => {
      const folder = await folderOf(named, options)
      await pruneCommand(options, {
        terminal,
        count: async before => prunable(folder, await publicKeyOf(folder), before),
        async prune(count) {
          const log = await fileAudit(folder)
          await prune(folder, log, count, systemClock).finally(() => log.close())
        },
      })
    })
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

async function publicKeyOf(folder: string): Promise<NoteKey> {
  const path = join(folder, KEY)
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ProcuraError('NOT_FOUND', { what: `log in ${folder} (no ${KEY})` }, { cause })
  })
  return parseKey(text.trim())
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
