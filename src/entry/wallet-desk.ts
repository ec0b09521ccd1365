import { delegateCommand, type DelegateOptions } from '../adapters/cli/delegate.js'
import type { Output } from '../adapters/cli/output.js'
import { usageFault } from '../adapters/cli/problem.js'
import { presentCommand, receiveCommand, type PresentOptions } from '../adapters/cli/wallet.js'
import { systemClock } from '../adapters/system.js'
import { readYamlFile } from '../adapters/veramo/yaml-file.js'
import { isDid, type Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import { openExistingWallet } from './existing-wallet.js'
import { withPlace, type Place, type PlaceOptions } from './place.js'
import type { Shell } from './program.js'
import type { WalletAgent, WalletOptions } from './wallet.js'

/** Options that say which agent of which wallet acts. */
export interface WalletFlags extends PlaceOptions {
  /** `sqlite://path` of a wallet that is there */
  readonly wallet: string
  /** alias or DID */
  readonly as: string
}

/** Hands on what an agent holds. */
export async function delegate(options: DelegateOptions & WalletFlags, shell: Shell): Promise<void> {
  await delegateCommand(options, {
    terminal: shell.terminal,
    readYaml: readYamlFile,
    asAgent: run => withAgent(options, shell, run),
  })
}

/** Prints a presentation. */
export async function present(options: PresentOptions & WalletFlags, shell: Shell): Promise<void> {
  await presentCommand(options, { terminal: shell.terminal, asAgent: run => withAgent(options, shell, run) })
}

/** Options of `procura receive`. */
export interface ReceiveOptions extends WalletFlags, Output {
  /** DIDs whose roots are taken beside those of the service */
  readonly root?: readonly string[]
}

/** Takes a chain into a wallet. */
export async function receive(file: string, options: ReceiveOptions, shell: Shell): Promise<void> {
  const named = (options.root ?? []).map(parseRoot)
  const rootsOf = ({ issuer }: Place): readonly Did[] => {
    const roots = [...named, ...(issuer === null ? [] : [issuer])]
    if (roots.length === 0) throw usageFault('whose roots are taken? --root, or the agent file or origin of a service')
    return roots
  }
  const asAgent = (run: (agent: WalletAgent) => Promise<void>) => withAgent(options, shell, run, rootsOf)
  await receiveCommand(file, options, { terminal: shell.terminal, clock: systemClock, asAgent })
}

async function withAgent(
  options: WalletFlags,
  { environment }: Shell,
  run: (agent: WalletAgent) => Promise<void>,
  rootsOf: (place: Place) => WalletOptions['roots'] = () => 'received',
): Promise<void> {
  await withPlace(options, environment, async place => {
    const wallet = await openExistingWallet(options.wallet, place, rootsOf(place))
    try {
      await run(await wallet.agent(options.as))
    } finally {
      await wallet.close()
    }
  })
}

function parseRoot(text: string): Did {
  if (isDid(text)) return text
  throw new ProcuraError('SCHEMA', { at: '--root', why: 'is not a DID' })
}
