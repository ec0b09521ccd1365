import { inside } from '../adapters/http/inside.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { reachOf, readConfig, type Config } from './config.js'
import { requireDatabase, requireWallet } from './existing-wallet.js'
import { openIssuer, type OpenIssuer } from './issuer.js'
import { requireOnePlace } from './place.js'

/** How the command line reaches a service as its operator. */
export interface AdminOptions {
  /** path of the service's agent file, which says its origin, where it listens and where the operator's wallet is */
  readonly config: string
  /** https origin of a service elsewhere; then the agent file is not read, and the wallet is named */
  readonly service?: string
  /** the operator's wallet: `sqlite://path` */
  readonly wallet?: string
  /** no service runs: database and audit log of the agent file are worked on from this process */
  readonly direct?: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Opens the operator's access to a service: the one that runs on this machine from an agent file, unless another is named.
 * With `direct` the service is opened in this process and listens nowhere; what it is asked is the same, and signed by
 * the operator's key as ever.
 *
 * @throws CONFIG_INVALID, NOT_FOUND, KEY_FILE, STORAGE_UNAVAILABLE, STORAGE_HELD - a service runs: says who
 */
export async function openAdmin(options: AdminOptions, environment: Environment): Promise<OpenIssuer> {
  const { config: path, service, wallet, direct = false } = options
  requireOnePlace(options)
  if (service !== undefined && wallet !== undefined) return open(service, wallet, {})
  const config = await readConfig(await readAgentFile(path, environment), environment)
  if (direct) return openDirect(path, wallet ?? config.operator, config, environment)
  return open(service ?? config.origin, wallet ?? config.operator, reachOf(config))
}

async function open(service: string, storage: string, connect: Readonly<Record<string, string>>): Promise<OpenIssuer> {
  // opening would make a new wallet, whose operator nobody knows
  await requireWallet(storage)
  return openIssuer({ service, storage, connect })
}

async function openDirect(
  path: string,
  wallet: string,
  { origin, storage }: Config,
  environment: Environment,
): Promise<OpenIssuer> {
  // what is not there would be made, and nobody would look for it here
  await requireWallet(wallet)
  await requireDatabase(storage)
  const { prepareService } = await import('./prepared-service.js')
  const service = await prepareService({ config: path, environment })
  try {
    const issuer = await openIssuer({ service: origin, storage: wallet }, inside(service.app))
    return { ...issuer, close: () => issuer.close().finally(() => service.close()) }
  } catch (error) {
    await service.close()
    throw error
  }
}
