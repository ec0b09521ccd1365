import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { readConfig } from './config.js'
import { requireWallet } from './existing-wallet.js'
import { openIssuer, type OpenIssuer } from './issuer.js'

/** How the command line reaches a service as its operator. */
export interface AdminOptions {
  /** path of the service's agent file, which says its origin, where it listens and where the operator's wallet is */
  readonly config: string
  /** https origin of a service elsewhere; then the agent file is not read, and the wallet is named */
  readonly service?: string
  /** the operator's wallet: `sqlite://path` */
  readonly wallet?: string
}

/**
 * Opens the operator's access to a service: the one that runs on this machine from an agent file, unless another is named.
 *
 * @throws CONFIG_INVALID, NOT_FOUND, KEY_FILE, STORAGE_UNAVAILABLE
 */
export async function openAdmin(
  { config, service, wallet }: AdminOptions,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<OpenIssuer> {
  if (service !== undefined && wallet !== undefined) return open(service, wallet, {})
  const { origin, operator, listen, connect } = await readConfig(await readAgentFile(config, environment), environment)
  const host = listen.host.includes(':') ? `[${listen.host}]` : listen.host
  const here = listen.behindTls ? {} : { [origin]: `http://${host}:${listen.port}` }
  return open(service ?? origin, wallet ?? operator, { ...here, ...connect })
}

async function open(service: string, storage: string, connect: Readonly<Record<string, string>>): Promise<OpenIssuer> {
  // opening would make a new wallet, whose operator nobody knows
  await requireWallet(storage)
  return openIssuer({ service, storage, connect })
}
