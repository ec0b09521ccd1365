import type { Agent } from '../../wallet/wallet.js'
import { read, text } from '../../shape.js'
import { formatApprovalRequest, readApprovalRequest } from './approval-request.js'
import type { Terminal } from './terminal.js'

/** Options of `procura approve`. */
export interface ApproveOptions {
  /** `sqlite://path` of a wallet that is there */
  readonly wallet: string
  /** alias or DID of the approver in it */
  readonly as: string
  /** how the person was asked; put on record */
  readonly method?: string
  readonly yes?: boolean
  readonly output: 'json' | 'table'
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
const USAGE = 64
const REFUSED = 77

/**
 * Shows on stderr what would run, asks, and prints the approval of exactly that on stdout.
 *
 * @param file - path of the approval request, or of the refusal that holds it; `-` is standard input
 * @returns the exit code: 0; 64 if nobody can be asked; 77 if the person says no
 * @throws NOT_FOUND - no such file, wallet or approver; INPUT_TOO_LARGE, JSON_*, SCHEMA, REQUEST_PARAMS, and what opening
 *   a wallet throws
 */
export async function approveCommand(file: string, options: ApproveOptions, world: ApproveWorld): Promise<number> {
  const { terminal } = world
  const method = read(text(), options.method ?? (options.yes === true ? 'unattended' : 'terminal'), '--method')
  const required = readApprovalRequest(await terminal.read(file, MAX_BYTES))
  const wallet = await world.openWallet(options.wallet)
  try {
    const approver = await wallet.agent(options.as)
    terminal.tell(`${formatApprovalRequest(required)}\napprover    ${approver.did}`)
    const code = options.yes === true ? 0 : await askFor(terminal)
    if (code !== 0) return code
    const approval = await approver.approve(required, method)
    terminal.print(options.output === 'json' ? JSON.stringify({ approval, approver: approver.did }) : approval)
    return 0
  } finally {
    await wallet.close()
  }
}

async function askFor(terminal: Terminal): Promise<number> {
  const answer = await terminal.ask('Approve exactly this call, once?')
  if (answer === true) return 0
  if (answer === false) terminal.tell('procura: not approved')
  else terminal.tell('procura: nobody is at a terminal to be asked; --yes approves without asking')
  return answer === null ? USAGE : REFUSED
}
