import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Made } from '../adapters/cli/init.js'
import { edited } from '../adapters/veramo/edit-agent-file.js'
import { didWebOf } from '../did/web.js'
import { ProcuraError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { nextCommands } from './next-commands.js'
import { AGENT_FILE } from './parts.js'
import { openServers, writeNew } from './resource-servers.js'

type Environment = Readonly<Record<string, string | undefined>>

/** Name of the first agent. */
const AGENT = 'planner'

/** How a first service is made. */
export interface InitOptions {
  /** folder, made if missing */
  readonly dir: string
  /** https origin of the service */
  readonly origin: string
  readonly port: string
  /** https origin of the first resource server */
  readonly audience: string
  /** separated by commas */
  readonly actions: string
}

/**
 * Makes what a first service needs, and nothing over what is there: an agent file, the policy and the secret of one
 * resource server, and by the service's own first start keys, database, audit log and operator. What was made is taken
 * away again if something is refused.
 *
 * @throws FILE_EXISTS - says what is there; CONFIG_INVALID
 */
export async function initHome(options: InitOptions, environment: Environment): Promise<Made> {
  const { dir, origin, audience } = options
  const actions = options.actions.split(',').map(one => one.trim())
  const files = {
    config: join(dir, 'agent.yml'),
    policy: join(dir, 'policies', 'api.json'),
    data: join(dir, 'data', 'var'),
  }
  const there: string[] = []
  for (const path of Object.values(files)) {
    if ((await stat(path).catch(() => null)) !== null) there.push(path)
  }
  if (there.length > 0) throw new ProcuraError('FILE_EXISTS', { file: there.join(', ') })
  const secretFile = join(files.data, 'api.secret')
  const block = blockOf(options, files.data)
  const policy = policyOf(audience, actions, didWebOf(origin))
  try {
    const template = await readFile(AGENT_FILE, 'utf8')
    const text = edited(template, document => {
      for (const [name, value] of Object.entries(block)) document.setIn(['procura', name], document.createNode(value))
      document.setIn(['procura', 'listen', 'port'], Number(options.port))
    })
    await writeNew(files.config, text, 0o644)
    await writeNew(files.policy, `${JSON.stringify(policy, null, 2)}\n`, 0o644)
    await openServers(files.config, environment).add('api', files.policy, secretFile)
    const wallet = join(files.data, 'planner.db')
    const service = await firstStart(files.config, environment, wallet)
    return {
      made: [
        { path: files.config, what: 'the agent file; read it, it says what each line is for' },
        { path: files.policy, what: `whose grants the resource server ${audience} takes` },
        { path: secretFile, what: 'its bearer secret, with which it asks the service; mode 0600' },
        { path: join(files.data, 'procura.db'), what: 'database of the service' },
        { path: join(files.data, 'procura.key'), what: 'key that its private keys are sealed under; mode 0600' },
        { path: join(files.data, 'operator.db'), what: "the operator's wallet, with its key file beside it" },
        { path: wallet, what: 'the wallet of a first agent, planner, with its key file beside it' },
        { path: join(files.data, 'audit'), what: 'the audit log, with its key file and its marker beside it' },
      ],
      ...service,
      next: nextCommands({ ...files, wallet, secretFile, audience, actions, environment, agent: service.agent }),
    }
  } catch (error) {
    for (const path of Object.values(files)) await rm(path, { recursive: true, force: true })
    throw error
  }
}

/** What the first start of a service makes; and an agent, made and registered as the operator would. */
async function firstStart(
  config: string,
  environment: Environment,
  storage: string,
): Promise<Pick<Made, 'operator' | 'issuer' | 'agent'>> {
  const [{ prepareService }, { openWallet }, { openIssuer }, { inside }] = await Promise.all([
    import('./prepared-service.js'),
    import('./wallet.js'),
    import('./issuer.js'),
    import('../adapters/http/inside.js'),
  ])
  const service = await prepareService({ config, environment })
  const { app, did: issuer, operator } = service
  try {
    const wallet = await openWallet({ storage: `sqlite://${storage}`, roots: [] })
    const { did: agent } = await wallet.createAgent({ name: AGENT }).finally(() => wallet.close())
    const admin = await openIssuer({ service: service.config.origin, storage: service.config.operator }, inside(app))
    const profile = { operator: issuer, autonomy: 'L1', risk: 'low' }
    await admin.register({ kind: 'agent', did: agent, name: AGENT, agent: profile }).finally(() => admin.close())
    return { operator, issuer, agent }
  } finally {
    await service.close()
  }
}

/** What differs from the agent file of the package. */
function blockOf({ origin, port }: InitOptions, data: string): JsonObject {
  return {
    origin,
    storage: `sqlite://${join(data, 'procura.db')}`,
    keyFile: join(data, 'procura.key'),
    operator: `sqlite://${join(data, 'operator.db')}`,
    audit: join(data, 'audit'),
    connect: { [origin]: `http://127.0.0.1:${port}` },
  }
}

function policyOf(audience: string, actions: readonly string[], issuer: string): JsonObject {
  return {
    self: audience,
    roots: [{ issuer, maxTtl: 3600, grants: [{ resource: `${audience}/**`, actions: [...actions] }] }],
  }
}
