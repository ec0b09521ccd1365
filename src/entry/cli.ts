#!/usr/bin/env node
import { Command, Option } from 'commander'
import { approveCommand, type ApproveOptions } from '../adapters/cli/approve.js'
import { toExit } from '../adapters/cli/problem.js'
import { terminal } from '../adapters/cli/terminal.js'
import { vectorsCommand } from '../adapters/cli/vectors.js'
import { memoryLedger, memoryVersions } from '../adapters/state/memory.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { createVerifier } from '../verifier/verifier.js'
import { addKeyCommands } from './key-commands.js'
import { openExistingWallet } from './existing-wallet.js'
import { addStatusCommands } from './status-commands.js'
import { addSubjectCommands } from './subject-commands.js'

const program = new Command('procura')
  .description('Decentralized identity agent for autonomous AI agents.')
  .showHelpAfterError('(add --help for the options and an example)')
  .configureOutput({ outputError: (text, write) => write(text) })
  .exitOverride()

program
  .command('vectors')
  .description('run vector files through the verifier')
  .argument('<file...>', 'JSON files of the form {common, cases}')
  .addHelpText('after', '\nExample:\n  procura vectors test/vectors/procura/decisions.json')
  .action(async (files: readonly string[]) => {
    const stores = () => ({ ledger: memoryLedger(systemClock, { budgets: true }), listVersions: memoryVersions() })
    process.exitCode = await vectorsCommand(files, { createVerifier, ids: systemIds, stores }, line =>
      console.log(line),
    )
  })

program
  .command('approve')
  .description('approve exactly one call, with the key of a wallet')
  .argument('[file]', 'the approval request, or the refusal that holds it; - is standard input', '-')
  .requiredOption('-w, --wallet <url>', 'a wallet that is there, with its key file beside it')
  .requiredOption('--as <name>', 'alias or DID of the approver in it')
  .option('--method <text>', 'how the person was asked, put on record (default: terminal, with --yes unattended)')
  .option('--yes', 'approve without asking')
  .addOption(new Option('-o, --output <form>', 'form of the output').choices(['json', 'table']).default('table'))
  .addHelpText('after', '\nExample:\n  procura approve refusal.json --wallet sqlite://data/wallet.db --as alice')
  .action(async (file: string, options: ApproveOptions) => {
    process.exitCode = await approveCommand(file, options, { openWallet: openExistingWallet, terminal })
  })

program
  .command('serve')
  .description('run the service that agent.yml describes')
  .option('-c, --config <file>', 'the agent file', 'agent.yml')
  .addHelpText('after', '\nExample:\n  procura serve --config agent.yml')
  .action(async ({ config }: { config: string }) => {
    const { serve } = await import('./service.js')
    await serve({ config, environment: process.env, print: line => console.log(line) })
  })

addSubjectCommands(program)
addKeyCommands(program)
addStatusCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitOf(error)
}

/** Commander's own endings (help, unknown option) carry their exit code; a usage fault is 64. */
function exitOf(error: unknown): number {
  if (error instanceof Error && 'exitCode' in error) return error.exitCode === 0 ? 0 : 64
  const { line, code } = toExit(error)
  console.error(`procura: ${line}`)
  return code
}
