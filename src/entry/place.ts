import { access } from 'node:fs/promises'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import type { Did } from '../did/did.js'
import { didWebOf } from '../did/web.js'
import { ProcuraError } from '../errors.js'
import { reachOf, readConfig } from './config.js'
import { requireDatabase } from './existing-wallet.js'

/** Which service a command of a wallet or a verifier has to do with. */
export interface PlaceOptions {
  /** agent file of a service on this machine */
  readonly config: string
  /** https origin of a service elsewhere; then the agent file is not read */
  readonly service?: string
  /** open the storage that the agent file names in this process, where no service runs */
  readonly direct?: boolean
}

/** A service, and how it is reached; all but `connect` are `null` where there is none. */
export interface Place {
  readonly service: string | null
  /** DID of its issuer */
  readonly issuer: Did | null
  readonly connect: Readonly<Record<string, string>>
}

/**
 * Runs a command with the service that options name. Without an agent file there is none, which is enough for what needs no
 * network: delegations of at most 300 s, presentations.
 *
 * @throws CONFIG_INVALID, SCHEMA - two places are named; and with `direct` what opening the service throws
 */
export async function withPlace<T>(
  options: PlaceOptions,
  environment: Readonly<Record<string, string | undefined>>,
  run: (place: Place) => Promise<T>,
): Promise<T> {
  requireOnePlace(options)
  const { config: path, service, direct = false } = options
  if (service !== undefined) return run({ service, issuer: didWebOf(service), connect: {} })
  if (direct) return runDirectly(path, environment, run)
  if (path === DEFAULT && !(await isThere(path))) return run({ service: null, issuer: null, connect: {} })
  const config = await readConfig(await readAgentFile(path, environment), environment)
  return run({ service: config.origin, issuer: didWebOf(config.origin), connect: reachOf(config) })
}

/** A service elsewhere and storage of this machine are not named at once. @throws SCHEMA */
export function requireOnePlace({ service, direct = false }: Pick<PlaceOptions, 'service' | 'direct'>): void {
  if (!direct || service === undefined) return
  throw new ProcuraError('SCHEMA', { at: '--direct', why: 'does not go with --service: storage is on this machine' })
}

/** The agent file of commands that name none. */
const DEFAULT = 'agent.yml'

/** The service listens on a port of this machine that nobody knows: DIDs and lists are had from it as from any other. */
async function runDirectly<T>(
  config: string,
  environment: Readonly<Record<string, string | undefined>>,
  run: (place: Place) => Promise<T>,
): Promise<T> {
  const { storage } = await readConfig(await readAgentFile(config, environment), environment)
  // what is not there would be made, and nobody would look for it here
  await requireDatabase(storage)
  const { openService } = await import('./service.js')
  const opened = await openService({
    config,
    environment: { ...environment, PROCURA_HOST: '127.0.0.1', PROCURA_PORT: '0' },
  })
  try {
    const { origin, connect } = opened.config
    return await run({ service: origin, issuer: opened.did, connect: { ...connect, [origin]: opened.address } })
  } finally {
    await opened.close()
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
