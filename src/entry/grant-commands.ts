import type { Command } from 'commander'
import type { DelegateOptions } from '../adapters/cli/delegate.js'
import type { GrantOptions } from '../adapters/cli/grant.js'
import { withManual } from '../adapters/cli/output.js'
import { withRequest } from '../adapters/cli/request-options.js'
import type { PresentOptions } from '../adapters/cli/wallet.js'
import { withWritten } from '../adapters/cli/written-options.js'
import type { AdminOptions } from './admin.js'
import { asAdmin } from './as-admin.js'
import { withPlaceOptions } from './place-options.js'
import type { Shell } from './program.js'
import { withService } from './service-options.js'
import type { ReceiveOptions, WalletFlags } from './wallet-desk.js'

const GRANTED =
  '{to: DID, digest, id, validUntil: seconds, sentence, warnings: [text], authority: {…}, chain: [token], root first}'
const SHORT = `
Constraints of --arg, NAME=… (NAME?=… may be left out of a call):
  any · eq:VALUE · in:VALUE,VALUE · range:MIN..MAX · under:/path · subset:COUNT:VALUE,VALUE · text:BYTES
An amount is an integer, or has a currency: 20.50USD is 2050 on the wire. What is not named is refused.`

/** Adds `grant`, `delegate`, `receive` and `present`: the way of authority from its issuer to a request. */
export function addGrantCommands(program: Command, shell: Shell): void {
  const desk = () => import('./wallet-desk.js')
  const ofWallet = (command: Command): Command =>
    withPlaceOptions(
      command
        .requiredOption('-w, --wallet <url>', 'a wallet that is there, with its key file beside it: sqlite://path')
        .requiredOption('--as <name>', 'alias or DID of the agent in it'),
    )
  const CHAIN = ['--chain <digest>', 'under this credential, where several held would do'] as const

  withManual(withWritten(withService(program.command('grant').description('issue a root capability to a subject'))), {
    example:
      "grant --to did:key:z6Mk… --resource 'https://api.example/bookings/**' --action book --arg amount=range:0..2000USD --arg currency=eq:USD --budget 2000USD --rate 10/min --ttl 30m --more 2",
    json: GRANTED,
  })
    .addHelpText('after', SHORT)
    .action(async (options: GrantOptions & AdminOptions) => {
      const [{ grantCommand }, { readYamlFile }] = await Promise.all([
        import('../adapters/cli/grant.js'),
        import('../adapters/veramo/yaml-file.js'),
      ])
      await grantCommand(options, {
        terminal: shell.terminal,
        readYaml: readYamlFile,
        asAdmin: run => asAdmin(options, shell.environment, run),
      })
    })

  withManual(
    withWritten(ofWallet(program.command('delegate').description('hand on what an agent holds, narrower'))).option(
      ...CHAIN,
    ),
    {
      example:
        'delegate --wallet sqlite://data/wallet.db --as planner --to did:key:z6Mk… --resource https://api.example/bookings/SYD-1 --action book --arg amount=range:0..500USD --ttl 5m',
      json: GRANTED,
    },
  )
    .addHelpText('after', SHORT)
    .action(async (options: DelegateOptions & WalletFlags) => {
      await (await desk()).delegate(options, shell)
    })

  withManual(
    ofWallet(program.command('receive').description('take a credential with its chain into a wallet'))
      .argument('<token|file>', 'a token, a file with a chain as grant and delegate print it, or - for standard input')
      .option('--root <did...>', "whose roots are taken, beside the service's own"),
    {
      example: 'receive planner.chain --wallet sqlite://data/wallet.db --as planner',
      json: '{to: DID, digest, id, validUntil: seconds, links: number, sentence, authority: {…}}',
    },
  ).action(async (file: string, options: ReceiveOptions) => {
    await (await desk()).receive(file, options, shell)
  })

  withManual(
    withRequest(ofWallet(program.command('present').description('sign a presentation for one request')))
      .option('--audience <origin>', 'the verifier (default: the origin of the URL)')
      .option('--nonce <text>', 'the nonce that the verifier challenged with')
      .option(...CHAIN)
      .option('--on-behalf-of <did>', 'under a chain of this principal'),
    {
      example: `present --wallet sqlite://data/wallet.db --as booker --method POST --url https://api.example/bookings/SYD-1 --body-file body.json --action book --params '{"amount": 32000}'`,
      json: '{presentation: token, audience}',
    },
  ).action(async (options: PresentOptions & WalletFlags) => {
    await (await desk()).present(options, shell)
  })
}
