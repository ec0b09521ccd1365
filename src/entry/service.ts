import { setTimeout } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { ProcuraError } from '../errors.js'
import type { Commons } from './commons.js'
import type { Config } from './config.js'
import { prepareService, type PreparedService } from './prepared-service.js'

/** How a service is started. */
export interface ServiceOptions {
  /** path of the agent file */
  readonly config: string
  /** what `$env` and `PROCURA_*` may name */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** told of defects; callers get a bare 500 */
  readonly onDefect?: (error: unknown) => void
  /** what this process shares with others of the service; left out: it is alone */
  readonly commons?: Commons
}

/** A service that listens. */
export interface Service extends PreparedService {
  /** where it listens, as `http://host:port` */
  readonly address: string
  /** Says for `listen.drain` seconds that it is not ready, stops listening, finishes what was accepted, closes storage. */
  close(): Promise<void>
}

/**
 * Starts the service that an agent file describes. The first start makes its folders, key file, database, DID and an
 * operator's wallet whose DID is the first admin.
 *
 * @throws CONFIG_INVALID, KEY_FILE, STORAGE_HELD, STORAGE_UNAVAILABLE, STORAGE_ROLLED_BACK, AUDIT_UNAVAILABLE - says what to correct; nothing listens then
 */
export async function openService(options: ServiceOptions): Promise<Service> {
  const stopping = new AbortController()
  const service = await prepareService(options, stopping.signal)
  const { app, config } = service
  try {
    if (options.commons === undefined && config.listen.processes > 1) throw severalHere()
    const address = await listen(app, config.listen)
    const close = async (): Promise<void> => {
      stopping.abort()
      await setTimeout(config.listen.drain * 1000)
      await service.close()
    }
    return { ...service, address, close }
  } catch (error) {
    await service.close()
    throw error
  }
}

/** A program that opens one service does not start others beside it. */
function severalHere(): ProcuraError {
  const why = 'is more than one: only `procura serve` starts several'
  return new ProcuraError('CONFIG_INVALID', { at: 'procura.listen.processes', why })
}

async function listen(app: FastifyInstance, { host, port }: Config['listen']): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError(
      'CONFIG_INVALID',
      { at: 'procura.listen', why: `cannot listen on ${host}:${port} (${code})` },
      { cause },
    )
  }
}
