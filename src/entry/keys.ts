import { stat } from 'node:fs/promises'
import type { KeyDesk } from '../adapters/cli/keys.js'
import { systemClock } from '../adapters/system.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { keySource } from '../adapters/veramo/key-source.js'
import { keyReplacement } from '../adapters/veramo/replace-key.js'
import { rotateKeys } from '../adapters/veramo/rotate.js'
import { didWebOf } from '../did/web.js'
import { ProcuraError } from '../errors.js'
import { readConfig } from './config.js'
import { AGENT_FILE, openHome, openNetwork } from './parts.js'

/** Whose keys: those of a service, by its agent file, or of a wallet, by its URL. */
export interface KeysPlace {
  readonly config: string
  readonly wallet?: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Opens a database that is there, for work on its keys. A service may go on using it.
 *
 * @throws NOT_FOUND - nothing was made; CONFIG_INVALID, STORAGE_UNAVAILABLE, KEY_FILE
 */
export async function openKeys({ config: path, wallet, environment }: KeysPlace): Promise<KeyDesk> {
  const file = await readAgentFile(wallet === undefined ? path : AGENT_FILE, environment)
  const config = wallet === undefined ? await readConfig(file, environment) : null
  const storage = config?.storage ?? wallet ?? ''
  const keyFile = config?.keyFile ?? `${storage.replace(/^sqlite:\/\//, '')}.key`
  const local = /^sqlite:\/\/(.+)$/s.exec(storage)?.[1]
  if (local !== undefined && (await stat(local).catch(() => null))?.isFile() !== true) {
    throw new ProcuraError('NOT_FOUND', { what: `database ${local}` })
  }
  const network = openNetwork({})
  const home = await openHome({ file, storage, keyFile, environment, network })
  const { store, agent, vault } = home
  const { sealedKeys, signingKeys } = store
  const clock = systemClock
  const transaction: typeof store.transaction = work => store.transaction(work)
  return {
    async versions() {
      const counts = await sealedKeys.counts()
      return (await sealedKeys.versions()).map(one => ({ ...one, keys: counts.get(one.version) ?? 0 }))
    },
    rotate: options => rotateKeys(keySource(keyFile, environment), sealedKeys, options),
    issuer:
      config === null
        ? null
        : { did: didWebOf(config.origin), ...keyReplacement({ agent, vault, signingKeys, clock, transaction }) },
    async close() {
      await home.close()
      await network.close()
    },
  }
}
