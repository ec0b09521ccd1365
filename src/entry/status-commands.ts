import { Option, type Command } from 'commander'
import type { BulkWork } from '../adapters/cli/bulk.js'
import { fsckCommand, type FsckOptions } from '../adapters/cli/fsck.js'
import { withManual, type Output } from '../adapters/cli/output.js'
import { revokeCommand, type RevokeOptions } from '../adapters/cli/revoke.js'
import { publishStatus, showStatus } from '../adapters/cli/status.js'
import { asAdmin } from './as-admin.js'
import type { AdminOptions } from './admin.js'
import type { OpenIssuer } from './issuer.js'
import type { Shell } from './program.js'
import { withService } from './service-options.js'

/** Adds `revoke`, `status` and `fsck` to the command line. */
export function addStatusCommands(program: Command, shell: Shell): void {
  const { terminal, environment } = shell
  const withAdmin = (options: AdminOptions, run: (admin: OpenIssuer) => Promise<void>): Promise<void> =>
    asAdmin(options, environment, run)

  withManual(withService(program.command('revoke').description('take authority back')), {
    example: 'revoke --file leaked.txt --dry-run',
    json: 'a line a target: {target, digest, list, index, …} or {target, code, detail}; of a DID {target, agent, changed}; of --file as bulk grant; with --dry-run {credentials, descendants, agents, reservations, tree: [{digest, parent, issuer, agent, validUntil, grants}]}',
  })
    .argument('[target...]', 'digests or ids of credentials, DIDs of agents')
    .option(
      '-f, --file <list>',
      'further targets: a list, CSV, NDJSON, or the answers of bulk grant; goes on where it was interrupted',
    )
    .option('--dry-run', 'show what it would end, and change nothing')
    .option('--before <time>', 'what the DIDs issued before this time: 2026-11-26T10:00:00Z')
    .addOption(new Option('--suspend', 'suspend only').conflicts('resume'))
    .addOption(new Option('--resume', 'lift a suspension'))
    .action(async (targets: readonly string[], options: RevokeOptions & AdminOptions) => {
      const { workThrough } = await import('./bulk-desk.js')
      await withAdmin(options, async admin => {
        const through = (file: string, work: BulkWork): Promise<number> => workThrough(file, work, options, shell)
        shell.exit(await revokeCommand(targets, options, { admin, terminal, workThrough: through }))
      })
    })

  const status = program.command('status').description('status lists')
  withManual(withService(status.command('show').description('show what a list says')), {
    example: 'status show 93e1b0a7c2d4f586',
    json: '{list, purpose, version, bits, set, validUntil}',
  })
    .argument('<list>', 'name or URL')
    .action((list: string, options: Output & AdminOptions) =>
      withAdmin(options, admin => showStatus(list, options, { admin, terminal })),
    )
  withManual(withService(status.command('publish').description('sign the lists that are due, now')), {
    example: 'status publish',
    json: '{lists: [URL]}',
  }).action((options: Output & AdminOptions) =>
    withAdmin(options, admin => publishStatus(options, { admin, terminal })),
  )

  withManual(
    program
      .command('fsck')
      .description(
        'check database, keys and audit log of a service that does not run; without --reconcile nothing is changed',
      )
      .option('-c, --config <file>', 'the agent file', 'agent.yml')
      .option('--reconcile', 'make a database that was restored from a backup fit to go on'),
    { example: 'fsck --reconcile', json: '{reached, stands, isBehind, reconciled, findings: [{what, advice}]}' },
  ).action(async (options: FsckOptions & { readonly config: string }) => {
    const { openRepair } = await import('./fsck.js')
    const store = await openRepair(options.config, environment)
    try {
      shell.exit(await fsckCommand(options, { store, terminal, stream: process.stderr }))
    } finally {
      await store.close()
    }
  })
}
