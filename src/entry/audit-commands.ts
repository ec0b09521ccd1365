import type { Command } from 'commander'
import type { PruneOptions, QueryOptions, QuestionOptions } from '../adapters/cli/audit.js'
import { withManual, type Manual, type Output } from '../adapters/cli/output.js'
import type { LogOptions } from './audit-desk.js'
import type { Shell } from './program.js'

const EARLIER = ['-e, --earlier <file...>', 'checkpoints that were taken before: they show cuts and forks'] as const

/** Adds `audit` to the command line. What reads logs is loaded late: help and usage faults should be told at once. */
export function addAuditCommands(program: Command, shell: Shell): void {
  const desk = () => import('./audit-desk.js')
  const ofLog = (command: Command, manual: Manual): Command =>
    withManual(
      command
        .argument('[folder]', 'the log, if it is not the one of the agent file')
        .option('-c, --config <file>', 'agent file of the service', 'agent.yml')
        .option('-k, --key <text>', 'public key of the log, from where its keeper could not change it'),
      manual,
    )
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

  const audit = program.command('audit').description('the audit log')
  ofLog(audit.command('key').description('print the public key of the log, to pin it elsewhere'), {
    example: 'audit key',
    json: '{key: text}',
  }).action(async (folder: string | undefined, options: LogOptions & Output) => {
    await (await desk()).auditKey(folder, options, shell)
  })
  ofLog(audit.command('verify').description('read the whole log, and name what was changed'), {
    example: 'audit verify --earlier checkpoint-of-october',
    json: '{log: origin | null, records, signed: number | null, pruned, findings: [{from, to, what}]}',
  })
    .option(...EARLIER)
    .action(async (folder: string | undefined, options: LogOptions & Output) => {
      shell.exit(await (await desk()).auditVerify(folder, options, shell))
    })
  ofLog(
    asking(audit.command('query').description('who did what on whose behalf, under which grant and policy')).option(
      '--limit <count>',
      'records at most',
      '1000',
    ),
    {
      example: 'audit query --principal did:web:acme.example --since 2026-11-01 -o tree',
      json: 'a line a record: {index, record: {…} | null}; null where its content was pruned',
      forms: ['tree', 'mermaid'],
    },
  ).action(async (folder: string | undefined, options: LogOptions & QueryOptions) => {
    await (await desk()).auditQuery(folder, options, shell)
  })
  ofLog(
    asking(
      audit
        .command('export')
        .description(
          'print a bundle that can be checked offline (examples/audit-verifier.js), of all or of what is asked',
        ),
    ),
    { example: 'audit export --policy data/policies/example.json > bundle.ndjson' },
  )
    .option(...EARLIER)
    .option('-p, --policy <file...>', 'policies to put in; each is found by its version')
    .action(async (folder: string | undefined, options: LogOptions & QuestionOptions) => {
      await (await desk()).auditExport(folder, options, shell)
    })
  ofLog(audit.command('prune').description('take the content of old records away; their hashes stay'), {
    example: 'audit prune --before 2025-11-01 --dry-run',
    json: '{records, dryRun}',
  })
    .requiredOption('--before <time>', 'what is older than: 2026-11-26T10:00:00Z, or seconds since 1970')
    .option('--dry-run', 'say how many, and change nothing')
    .action(async (folder: string | undefined, options: LogOptions & PruneOptions) => {
      await (await desk()).auditPrune(folder, options, shell)
    })
}
