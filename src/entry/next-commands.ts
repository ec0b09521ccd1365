import { join } from 'node:path'

/** What the commands name. */
interface Home {
  readonly config: string
  readonly data: string
  readonly secretFile: string
  readonly issuer: string
  readonly audience: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Commands that lead from a fresh service to a first verified call. */
export function nextCommands({ config, data, issuer, environment }: Home): readonly string[] {
  const procura = `${programName(environment)} `
  const place = config === 'agent.yml' ? '' : ` --config ${quoted(config)}`
  const wallet = `sqlite://${join(data, 'wallet.db')}`
  return [
    `${procura}serve${place}    # leave it running; the rest in another terminal`,
    `${procura}agent create planner --in ${quoted(wallet)} --operator ${issuer} --autonomy L1 --risk low${place}`,
  ]
}

/** How this program is called from a shell. */
function programName(environment: Home['environment']): string {
  if (environment['npm_command'] === 'exec') return 'npx procura'
  const script = process.argv[1] ?? ''
  return script.endsWith('cli.js') ? `node ${quoted(script)}` : 'procura'
}

function quoted(text: string): string {
  return /^[A-Za-z0-9_./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
