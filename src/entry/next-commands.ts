import { join } from 'node:path'

/** What the commands name. */
interface Home {
  readonly config: string
  readonly data: string
  readonly secretFile: string
  readonly audience: string
  readonly actions: readonly string[]
  /** the first agent: its DID, and the path of its wallet */
  readonly agent: string
  readonly wallet: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Commands that lead from a fresh service to a first verified call, as they are typed. */
export function nextCommands({ config, data, environment, ...home }: Home): readonly string[] {
  const procura = programName(environment)
  const place = config === 'agent.yml' ? '' : ` --config ${quoted(config)}`
  const as = `--wallet ${quoted(`sqlite://${home.wallet}`)} --as planner${place}`
  const action = quoted(home.actions[0] ?? 'read')
  const chain = quoted(join(data, 'planner.chain'))
  const call = `--method GET --url ${quoted(`${home.audience}/items/1`)} --action ${action}`
  return [
    `${procura} serve${place}    # leave it running; the rest in another terminal`,
    `${procura} grant --to ${home.agent} --resource ${quoted(`${home.audience}/**`)} --action ${action} --no-args --ttl 30m${place} > ${chain}`,
    `${procura} receive ${chain} ${as}`,
    `${procura} present ${call} ${as} | ${procura} verify - ${call} --secret-file ${quoted(home.secretFile)}${place}`,
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
