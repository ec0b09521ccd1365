import type { Command } from 'commander'
import type { BulkGrantOptions } from '../adapters/cli/bulk-grant.js'
import { withManual, type Output } from '../adapters/cli/output.js'
import type { AdminOptions } from './admin.js'
import { asAdmin } from './as-admin.js'
import type { Shell } from './program.js'
import { withService } from './service-options.js'

const ROWS = `
The file is CSV, whose first line names columns, or NDJSON with the same members:
  to (DID or registered name) · ttl · resource · action · arg.NAME · budget · rate · more · audience · recipient ·
  on-behalf-of
Each is written as the option of procura grant. Several resources or actions are separated by spaces, budgets by ;.
Beside FILE stand FILE.done.ndjson (an answer for each row, with its token), FILE.failed.ndjson (line, code, why) and
FILE.journal, by which the same command goes on after an interruption.`

/** Adds `bulk` to the command line. */
export function addBulkCommands(program: Command, shell: Shell): void {
  const bulk = program.command('bulk').description('work through a file, each row exactly once')
  withManual(
    withService(bulk.command('grant').description('issue a root capability for each row of a file'))
      .argument('<file>', 'CSV or NDJSON')
      .option('-f, --file <path>', 'the authority for all rows in YAML or JSON; rows then say only to and ttl'),
    {
      example: 'bulk grant agents.csv --file grant.yaml',
      json: '{file, done, doneBefore, failed: number, answers: path, failures: path | null, ended: null | INTERRUPTED | code}',
    },
  )
    .addHelpText('after', ROWS)
    .action(async (file: string, options: BulkGrantOptions & AdminOptions & Output) => {
      const [{ grantWork }, { readYamlFile }, { workThrough }] = await Promise.all([
        import('../adapters/cli/bulk-grant.js'),
        import('../adapters/veramo/yaml-file.js'),
        import('./bulk-desk.js'),
      ])
      await asAdmin(options, shell.environment, async admin => {
        const work = grantWork(options, { terminal: shell.terminal, admin, readYaml: readYamlFile })
        shell.exit(await workThrough(file, work, options, shell))
      })
    })
}
