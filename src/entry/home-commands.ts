import type { Command } from 'commander'
import { printFindings } from '../adapters/cli/config-check.js'
import { printMade } from '../adapters/cli/init.js'
import { withManual, type Output } from '../adapters/cli/output.js'
import { addServer, listServers, removeServer, type ServerDesk } from '../adapters/cli/resource-servers.js'
import type { InitOptions } from './init.js'
import type { Shell } from './program.js'

interface Where {
  readonly config: string
}

const ROW = '{name, audience: URL | null, policy: path, secrets: number}'

/** Adds `init`, `config` and `resource-server` to the command line. */
export function addHomeCommands(program: Command, shell: Shell): void {
  const { terminal, environment } = shell
  withManual(
    program
      .command('init')
      .description('make all that a first service needs: agent file, keys, database, operator, one resource server')
      .option('-d, --dir <folder>', 'where; made if it is missing', '.')
      .option('--origin <url>', 'https origin under which others reach the service', 'https://procura.example')
      .option('--port <number>', 'where it listens on this machine', '8080')
      .option('--audience <url>', 'https origin of the first resource server', 'https://api.example')
      .option('--actions <names>', 'what may be granted there, separated by commas', 'read,write'),
    {
      example: 'init --dir demo',
      json: '{made: [{path, what}], operator: DID, issuer: DID, agent: DID, next: [command]}',
    },
  ).action(async (options: InitOptions & Output) => {
    const { initHome } = await import('./init.js')
    printMade(await initHome(options, environment), options, terminal)
  })

  const config = program.command('config').description('the agent file')
  withManual(
    config
      .command('check')
      .description('find everything that is wrong with a configuration, all at once; nothing is made or asked')
      .option('-c, --config <file>', 'the agent file', 'agent.yml'),
    {
      example: 'config check',
      json: '{file, errors: number, warnings: number, findings: [{level: error | warning, file, line, path, code, why, remedy}]}',
    },
  ).action(async (options: Where & Output) => {
    const { checkConfig } = await import('./config-check.js')
    const { findings } = await checkConfig(options.config, environment)
    shell.exit(printFindings(options.config, findings, options, terminal))
  })

  const servers = program.command('resource-server').description('who may ask the service to decide')
  const command = (name: string, description: string, example: string, json: string): Command =>
    withManual(
      servers
        .command(name)
        .description(description)
        .option('-c, --config <file>', 'the agent file, which is changed', 'agent.yml'),
      { example: `resource-server ${example}`, json },
    )
  const open = async ({ config }: Where): Promise<{ desk: ServerDesk; terminal: typeof terminal }> => {
    const { openServers } = await import('./resource-servers.js')
    return { desk: openServers(config, environment), terminal }
  }
  command(
    'add',
    'make a secret for a resource server, and write its hash into the agent file',
    'add bookings --policy policies/bookings.json --secret-file bookings.secret',
    '{name, audience: URL, policy: path, secrets: number, secret: text | secretFile: path}',
  )
    .argument('<name>', '1 to 64 letters, digits, dots, dashes')
    .requiredOption('-p, --policy <file>', 'whose grants it takes; its `self` is the audience')
    .option('--secret-file <file>', 'put the secret there, mode 0600, instead of printing it')
    .action(async (name: string, options: Where & Output & { policy: string; secretFile?: string }) =>
      addServer(name, options, await open(options)),
    )
  command('list', 'list the resource servers', 'list', `[${ROW}]`).action(async (options: Where & Output) =>
    listServers(options, await open(options)),
  )
  command(
    'remove',
    'take a resource server out of the agent file',
    'remove bookings --dry-run',
    `${ROW.slice(0, -1)}, removed: boolean}`,
  )
    .argument('<name>')
    .option('--dry-run', 'show what it would take out, and change nothing')
    .action(async (name: string, options: Where & Output & { dryRun?: boolean }) =>
      removeServer(name, options, await open(options)),
    )
}
