import type { Command } from 'commander'

/** Adds the options that say which service is meant, and as whom (`AdminOptions`). */
export function withService(command: Command): Command {
  return command
    .option('-c, --config <file>', 'agent file of the service on this machine', 'agent.yml')
    .option('-s, --service <origin>', 'https origin of a service elsewhere; then --wallet too')
    .option('-w, --wallet <url>', "the operator's wallet, if it is not where the agent file says")
    .option('--direct', 'no service runs: work on the database and the audit log of the agent file')
}
