import { readFileSync } from 'node:fs'
import { Argument, Command, CommanderError } from 'commander'
import type { ApproveOptions } from '../adapters/cli/approve.js'
import { completionOf, SHELLS } from '../adapters/cli/completion.js'
import { asksForJson, withManual, type Output } from '../adapters/cli/output.js'
import { toFailure } from '../adapters/cli/problem.js'
import type { Terminal } from '../adapters/cli/terminal.js'
import { printable } from '../errors.js'
import { addAuditCommands } from './audit-commands.js'
import { addBulkCommands } from './bulk-commands.js'
import { addGrantCommands } from './grant-commands.js'
import { addHomeCommands } from './home-commands.js'
import { addKeyCommands } from './key-commands.js'
import { addStatusCommands } from './status-commands.js'
import { addSubjectCommands } from './subject-commands.js'
import { addVerifyCommands } from './verify-commands.js'

/** What a command works with. */
export interface Shell {
  readonly terminal: Terminal
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Sets the code that the command ends with, 0 unless set. */
  exit(code: number): void
}

/**
 * Runs one command line. Where JSON is asked for, a failure is told as JSON too, on standard error: standard output holds
 * the answer or nothing.
 *
 * @param args - without the name of the program
 * @returns the exit code: 0, 64 for a usage fault, or that of the refusal
 */
export async function runCommand(
  args: readonly string[],
  { terminal, environment }: Pick<Shell, 'terminal' | 'environment'>,
): Promise<number> {
  let code = 0
  const isJson = asksForJson(args)
  const program = createProgram({ terminal, environment, exit: given => void (code = given) })
  if (isJson) quiet(program)
  try {
    await program.parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    const failure = toFailure(error)
    // commander tells its own refusals as it goes
    const isTold = error instanceof CommanderError && error.code.startsWith('commander.')
    if (isJson) terminal.tell(failure.json)
    else if (!isTold) terminal.tell(failure.lines)
    return failure.code
  }
}

function quiet(command: Command): void {
  command.configureOutput({ ...command.configureOutput(), writeErr: () => undefined })
  command.commands.forEach(quiet)
}

/** All commands. */
export function createProgram(shell: Shell): Command {
  const { terminal, environment } = shell
  const whole = (text: string): string => text.replace(/\n$/, '')
  const program = new Command('procura')
    .description('Decentralized identity agent for autonomous AI agents.')
    .version(version(), '-V, --version', 'print the version')
    .showHelpAfterError('(add --help for the options and an example)')
    .configureOutput({
      writeOut: text => {
        terminal.print(whole(text))
      },
      writeErr: text => {
        terminal.tell(whole(text))
      },
      outputError: (text, write) => {
        write(whole(text).split('\n').map(printable).join('\n'))
      },
    })
    .exitOverride()

  addHomeCommands(program, shell)
  addSubjectCommands(program, shell)
  addGrantCommands(program, shell)
  addBulkCommands(program, shell)
  addVerifyCommands(program, shell)
  addStatusCommands(program, shell)
  addKeyCommands(program, shell)
  addAuditCommands(program, shell)

  withManual(
    program
      .command('approve')
      .description('approve exactly one call, with the key of a wallet')
      .argument('[file]', 'the approval request, or the refusal that holds it; - is standard input', '-')
      .requiredOption('-w, --wallet <url>', 'a wallet that is there, with its key file beside it')
      .requiredOption('--as <name>', 'alias or DID of the approver in it')
      .option('--method <text>', 'how the person was asked, put on record (default: terminal, with --yes unattended)')
      .option('--yes', 'approve without asking'),
    {
      example: 'approve refusal.json --wallet sqlite://data/wallet.db --as alice',
      json: '{approval: token, approver: DID}',
    },
  ).action(async (file: string, options: ApproveOptions) => {
    const { approveCommand } = await import('../adapters/cli/approve.js')
    const { openExistingWallet } = await import('./existing-wallet.js')
    await approveCommand(file, options, { openWallet: openExistingWallet, terminal })
  })

  withManual(
    program
      .command('serve')
      .description('run the service that agent.yml describes')
      .option('-c, --config <file>', 'the agent file', 'agent.yml'),
    { example: 'serve --config agent.yml' },
  ).action(async ({ config }: { config: string }) => {
    const { serve } = await import('./serve.js')
    await serve({
      config,
      environment,
      print: line => {
        terminal.print(line)
      },
    })
  })

  withManual(
    program
      .command('vectors')
      .description('run vector files through the verifier')
      .argument('<file...>', 'JSON files of the form {common, cases}'),
    {
      example: 'vectors test/vectors/procura/decisions.json',
      json: '{passed: number, failed: number, misses: [text]}',
    },
  ).action(async (files: readonly string[], options: Output) => {
    const { runVectorFiles } = await import('./vectors.js')
    shell.exit(await runVectorFiles(files, options, terminal))
  })

  withManual(
    program
      .command('completion')
      .description('print a script that completes command lines in a shell')
      .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS)),
    { example: 'completion bash > ~/.local/share/bash-completion/completions/procura' },
  ).action((shell: (typeof SHELLS)[number]) => {
    terminal.print(completionOf(program, shell))
  })
  return program
}

function version(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    readonly version: string
  }
  return version
}
