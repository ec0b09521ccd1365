import { createClient as create } from '../adapters/client/api.js'
import { parseConnect } from '../adapters/resolve/connect.js'
import { systemClock, systemIds } from '../adapters/system.js'
import type { Client } from '../api/client.js'
import type { Signer } from '../signer.js'

export type { CallOptions, Client } from '../api/client.js'
export type { OperationName } from '../api/operations.js'

/** Which service, and who calls it. */
export interface ClientOptions {
  /** https origin of the service */
  readonly service: string
  /** signs for the DID that calls: `agent.holder` of a wallet's agent */
  readonly signer?: Signer
  /** or the bearer secret of a resource server */
  readonly secret?: string
  /** development only: https origin → address */
  readonly connect?: Readonly<Record<string, string>>
}

/**
 * The HTTP API of a service as functions, named and typed as in its OpenAPI document.
 *
 * ```ts
 * const client = createClient({ service: 'https://procura.example', signer: agent.holder })
 * const { credential } = await client.grant({ body: { to, ttl: 3600, authority } })
 * ```
 *
 * Without `signer` and `secret` it calls what is open to anyone.
 *
 * @throws CONFIG_INVALID
 */
export function createClient({ service, signer, secret, connect = {} }: ClientOptions): Client {
  const exceptions = parseConnect(connect)
  const reach = (origin: string): string => exceptions.get(origin) ?? origin
  const credential = signer ?? (secret === undefined ? null : { secret })
  return create(credential, { service, reach, clock: systemClock, ids: systemIds })
}
