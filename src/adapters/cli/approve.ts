import { ProcuraError } from '../../errors.js'
import { read, text } from '../../shape.js'
import type { Agent } from '../../wallet/wallet.js'
import { formatApprovalRequest, readApprovalRequest } from './approval-request.js'
import { show, type Output } from './output.js'
import { usageFault } from './problem.js'
import type { Terminal } from './terminal.js'

/** Options of `procura approve`. */
export interface ApproveOptions extends Output {
  /** `sqlite://path` of a wallet that is there */
  readonly wallet: string
  /** alias or DID of the approver in it */
  readonly as: string
  /** how the person was asked; put on record */
  readonly method?: string
  readonly yes?: boolean
}

/** What the command needs: wallets, and whoever sits at the terminal. */
export interface ApproveWorld {
  /** Opens a wallet and never makes one. */
  readonly openWallet: (storage: string) => Promise<{
    agent(name: string): Promise<Pick<Agent, 'did' | 'approve'>>
    close(): Promise<void>
  }>
  readonly terminal: Terminal
}

/** Largest request or refusal, in bytes. */
const MAX_BYTES = 1024 * 1024

/**
 * Shows on stderr what would run, asks, and prints the approval of exactly that on stdout.
 *
 * @param file - path of the approval request, or of the refusal that holds it; `-` is standard input
 * @throws NOT_FOUND - no such file, wallet or approver; CALLER_FORBIDDEN - the person says no; a usage fault if nobody can
 *   be asked; INPUT_TOO_LARGE, JSON_*, SCHEMA, REQUEST_PARAMS, and what opening a wallet throws
 */
export async function approveCommand(file: string, options: ApproveOptions, world: ApproveWorld): Promise<void> {
  const { terminal } = world
  const method = read(text(), options.method ?? (options.yes === true ? 'unattended' : 'terminal'), '--method')
  const required = readApprovalRequest(await terminal.read(file, MAX_BYTES))
  const wallet = await world.openWallet(options.wallet)
  try {
    const approver = await wallet.agent(options.as)
    terminal.tell(`${formatApprovalRequest(required)}\napprover    ${approver.did}`)
    if (options.yes !== true) await askFor(terminal, approver.did)
    const approval = await approver.approve(required, method)
    show(terminal, options, { approval, approver: approver.did }, () => [approval])
  } finally {
    await wallet.close()
  }
}

async function askFor(terminal: Terminal, caller: string): Promise<void> {
  const answer = await terminal.ask('Approve exactly this call, once?')
  if (answer === null) throw usageFault('nobody is at a terminal to be asked; --yes approves without asking')
  if (!answer) throw new ProcuraError('CALLER_FORBIDDEN', { caller, what: 'approve: the person said no' })
}
