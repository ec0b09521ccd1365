import { setTimeout as wait } from 'node:timers/promises'
import type { Command } from 'commander'
import { withManual } from '../adapters/cli/output.js'
import { keysList, keysRotate, type KeysOptions } from '../adapters/cli/keys.js'
import type { Shell } from './program.js'

interface Places {
  readonly config: string
  readonly wallet?: string
}

const VERSIONS = '{versions: [{version, fingerprint, keys}], issuer: {did, keys: [{did, kid, …, stage}]} | null}'
const STEPS =
  '{version, resealed, dropped: [version]}; with --issuer {done, next: {step, due: seconds} | null}, a line a step'
const places = (command: Command, example: string, json: string): Command =>
  withManual(
    command
      .option('-c, --config <file>', 'the agent file of a service', 'agent.yml')
      .option('-w, --wallet <url>', 'a wallet instead, with its key file beside it'),
    { example: `keys ${example}`, json },
  )
const keysWorld = ({ config, wallet }: Places, { terminal, environment }: Shell) => ({
  terminal,
  open: async () => {
    const { openKeys } = await import('./keys.js')
    return openKeys({ config, environment, ...(wallet === undefined ? {} : { wallet }) })
  },
  until: (time: number) => wait(Math.max(0, time * 1000 - Date.now())),
})
type KeysFlags = KeysOptions & Places

/** Adds `procura keys …`. */
export function addKeyCommands(program: Command, shell: Shell): void {
  const keys = program.command('keys').description('the keys of a service or a wallet')

  places(keys.command('list'), 'list --config agent.yml', VERSIONS)
    .description('show the versions of the key-encryption key, and the keys of the issuer')
    .action(async (options: KeysFlags) => {
      shell.exit(await keysList(options, keysWorld(options, shell)))
    })

  places(keys.command('rotate'), 'rotate --config agent.yml --drop-old', STEPS)
    .description(
      'seal all private keys under a new key, beside a running service; what was interrupted is gone on with',
    )
    .option('--drop-old', 'then drop the older versions; refused while a private key is sealed under one')
    .option('--issuer', 'the key that the issuer signs with instead: list a new one, switch, drop, one step a call')
    .option('--wait', 'with --issuer: wait for the steps that are not due yet')
    .option('--emergency', 'with --issuer: a new key signs at once, all others are dropped at once')
    .action(async (options: KeysFlags) => {
      shell.exit(await keysRotate(options, keysWorld(options, shell)))
    })
}
