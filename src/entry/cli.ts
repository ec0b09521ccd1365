#!/usr/bin/env node
import { Command } from 'commander'
import { toExit } from '../adapters/cli/problem.js'
import { vectorsCommand } from '../adapters/cli/vectors.js'
import { memoryLedger, memoryVersions } from '../adapters/state/memory.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { createVerifier } from '../verifier/verifier.js'

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
  .command('serve')
  .description('run the service that agent.yml describes')
  .option('-c, --config <file>', 'the agent file', 'agent.yml')
  .addHelpText('after', '\nExample:\n  procura serve --config agent.yml')
  .action(async ({ config }: { config: string }) => {
    const { serve } = await import('./service.js')
    await serve({ config, environment: process.env, print: line => console.log(line) })
  })

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
