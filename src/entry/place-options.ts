import type { Command } from 'commander'

/** Adds the options that say which service a wallet or a verifier deals with (`PlaceOptions`). */
export function withPlaceOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'agent file of a service on this machine, if it is there', 'agent.yml')
    .option('-s, --service <origin>', 'https origin of a service elsewhere')
    .option('--direct', 'open the storage that the agent file names, where no service runs')
}
