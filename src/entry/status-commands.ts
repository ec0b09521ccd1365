import { Option, type Command } from 'commander'
import { fsckCommand, type FsckOptions } from '../adapters/cli/fsck.js'
import { revokeCommand, type RevokeOptions } from '../adapters/cli/revoke.js'
import { publishStatus, showStatus, type StatusOptions } from '../adapters/cli/status.js'
import { asAdmin } from './as-admin.js'
import type { AdminOptions } from './admin.js'
import type { OpenIssuer } from './issuer.js'
import type { Shell } from './program.js'

/** Adds `revoke`, `status` and `fsck` to the command line. */
export function addStatusCommands(program: Command, shell: Shell): void {
  const { terminal, environment } = shell
  const withAdmin = (options: AdminOptions, run: (admin: OpenIssuer) => Promise<void>): Promise<void> =>
    asAdmin(options, environment, run)
  const output = (): Option =>
    new Option('-o, --output <form>', 'form of the output').choices(['json', 'table']).default('table')
  const ofService = (command: Command, example: string): Command =>
    command
      .option('-c, --config <file>', 'agent file of the service on this machine', 'agent.yml')
      .option('-s, --service <origin>', 'https origin of a service elsewhere; then --wallet too')
      .option('-w, --wallet <url>', "the operator's wallet, if it is not where the agent file says")
      .addOption(output())
      .addHelpText('after', `\nExample:\n  procura ${example}`)

  ofService(program.command('revoke').description('take authority back'), 'revoke --file leaked.txt --dry-run')
    .argument('[target...]', 'digests or ids of credentials, DIDs of agents')
    .option('-f, --file <list>', 'further targets, one a line; goes on where it was interrupted')
    .option('--dry-run', 'show what it would end, and change nothing')
    .option('--before <time>', 'what the DIDs issued before this time: 2026-11-26T10:00:00Z')
    .addOption(new Option('--suspend', 'suspend only').conflicts('resume'))
    .addOption(new Option('--resume', 'lift a suspension'))
    .action(async (targets: readonly string[], options: RevokeOptions & AdminOptions) => {
      await withAdmin(options, async admin => {
        shell.exit(await revokeCommand(targets, options, { admin, terminal, stream: process.stderr }))
      })
    })

  const status = program.command('status').description('status lists')
  ofService(status.command('show').description('show what a list says'), 'status show 93e1b0a7c2d4f586')
    .argument('<list>', 'name or URL')
    .action((list: string, options: StatusOptions & AdminOptions) =>
      withAdmin(options, admin => showStatus(list, options, { admin, terminal })),
    )
  ofService(status.command('publish').description('sign the lists that are due, now'), 'status publish').action(
    (options: StatusOptions & AdminOptions) => withAdmin(options, admin => publishStatus(options, { admin, terminal })),
  )

  program
    .command('fsck')
    .description('check the storage of a service that does not run')
    .option('-c, --config <file>', 'the agent file', 'agent.yml')
    .option('--reconcile', 'make a database that was restored from a backup fit to go on')
    .addOption(output())
    .addHelpText('after', '\nExample:\n  procura fsck --reconcile')
    .action(async (options: FsckOptions & { readonly config: string }) => {
      const { openRepair } = await import('./fsck.js')
      const store = await openRepair(options.config, environment)
      try {
        shell.exit(await fsckCommand(options, { store, terminal }))
      } finally {
        await store.close()
      }
    })
}
