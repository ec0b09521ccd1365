import { Command, Option } from 'commander'
import { approveCommand, type ApproveOptions } from '../adapters/cli/approve.js'
import { toExit } from '../adapters/cli/problem.js'
import type { Terminal } from '../adapters/cli/terminal.js'
import { vectorsCommand } from '../adapters/cli/vectors.js'
import { memoryLedger, memoryVersions } from '../adapters/state/memory.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { createVerifier } from '../verifier/verifier.js'
import { addAuditCommands } from './audit-commands.js'
import { openExistingWallet } from './existing-wallet.js'
import { addKeyCommands } from './key-commands.js'
import { addStatusCommands } from './status-commands.js'
import { addSubjectCommands } from './subject-commands.js'

/** What a command works with. */
export interface Shell {
  readonly terminal: Terminal
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Sets the code that the command ends with, 0 unless set. */
  exit(code: number): void
}

/**
 * Runs one command line.
 *
 * @param args - without the name of the program
 * @returns the exit code: 0, 64 for a usage fault, or that of the refusal
 */
export async function runCommand(
  args: readonly string[],
  { terminal, environment }: Pick<Shell, 'terminal' | 'environment'>,
): Promise<number> {
  let code = 0
  try {
    await commands({ terminal, environment, exit: given => void (code = given) }).parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    // commander's own endings (help, unknown option) carry their exit code
    if (error instanceof Error && 'exitCode' in error) return error.exitCode === 0 ? 0 : 64
    const refusal = toExit(error)
    terminal.tell(`procura: ${refusal.line}`)
    return refusal.code
  }
}

function commands(shell: Shell): Command {
  const { terminal, environment } = shell
  const whole = (text: string): string => text.replace(/\n$/, '')
  const program = new Command('procura')
    .description('Decentralized identity agent for autonomous AI agents.')
    .showHelpAfterError('(add --help for the options and an example)')
    .configureOutput({
      writeOut: text => terminal.print(whole(text)),
      writeErr: text => terminal.tell(whole(text)),
      outputError: (text, write) => write(text),
    })
    .exitOverride()

  program
    .command('vectors')
    .description('run vector files through the verifier')
    .argument('<file...>', 'JSON files of the form {common, cases}')
    .addHelpText('after', '\nExample:\n  procura vectors test/vectors/procura/decisions.json')
    .action(async (files: readonly string[]) => {
      const stores = () => ({ ledger: memoryLedger(systemClock, { budgets: true }), listVersions: memoryVersions() })
      shell.exit(await vectorsCommand(files, { createVerifier, ids: systemIds, stores }, line => terminal.print(line)))
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
      shell.exit(await approveCommand(file, options, { openWallet: openExistingWallet, terminal }))
    })

  program
    .command('serve')
    .description('run the service that agent.yml describes')
    .option('-c, --config <file>', 'the agent file', 'agent.yml')
    .addHelpText('after', '\nExample:\n  procura serve --config agent.yml')
    .action(async ({ config }: { config: string }) => {
      const { serve } = await import('./serve.js')
      await serve({ config, environment, print: line => terminal.print(line) })
    })

  addSubjectCommands(program, shell)
  addKeyCommands(program, shell)
  addStatusCommands(program, shell)
  addAuditCommands(program, shell)
  return program
}
