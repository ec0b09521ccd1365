import { hostname } from 'node:os'
import type { KeyDesk } from '../adapters/cli/keys.js'
import { keyEventsOf } from '../adapters/store/key-events.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { keySource } from '../adapters/veramo/key-source.js'
import { keyReplacement, type KeyReplacement } from '../adapters/veramo/replace-key.js'
import { rotateKeys } from '../adapters/veramo/rotate.js'
import type { Did } from '../did/did.js'
import { stageOf } from '../did/replacement.js'
import { didWebOf } from '../did/web.js'
import type { JsonObject } from '../json.js'
import { requireDatabase } from './existing-wallet.js'
import { readConfig } from './config.js'
import { AGENT_FILE, openHome, openNetwork } from './parts.js'

/** Whose keys: those of a service, by its agent file, or of a wallet, by its URL. */
export interface KeysPlace {
  readonly config: string
  readonly wallet?: string
  readonly environment: Readonly<Record<string, string | undefined>>
}

/**
 * Opens a database that is there, for work on its keys. A service may go on using it. What is done to a service's keys is
 * kept in the database for its audit log, which the service holds.
 *
 * @throws NOT_FOUND - nothing was made; CONFIG_INVALID, STORAGE_UNAVAILABLE, KEY_FILE
 */
export async function openKeys({ config: path, wallet, environment }: KeysPlace): Promise<KeyDesk> {
  const file = await readAgentFile(wallet === undefined ? path : AGENT_FILE, environment)
  const config = wallet === undefined ? await readConfig(file, environment) : null
  const storage = config?.storage ?? wallet ?? ''
  const keyFile = config?.keyFile ?? `${storage.replace(/^sqlite:\/\//, '')}.key`
  await requireDatabase(storage)
  const network = openNetwork({})
  const home = await openHome({ file, storage, keyFile, environment, network })
  const { store, agent, vault } = home
  const { sealedKeys, signingKeys } = store
  const clock = systemClock
  const transaction: typeof store.transaction = work => store.transaction(work)
  const events = keyEventsOf({ ...store, transaction })
  const replacement = keyReplacement({ agent, vault, signingKeys, clock, transaction })

  /** A wallet has no log. */
  async function note(what: JsonObject): Promise<void> {
    if (config === null) return
    await events.add({ type: 'key', id: systemIds.uuid(), at: clock.now(), by: BY, ...what })
  }
  /** The work, with the keys whose stage it changed. */
  function noted<T>(did: Did, work: () => Promise<T>): Promise<T> {
    return transaction(async () => {
      const before = await stagesOf(replacement, did)
      const result = await work()
      const changed = [...(await stagesOf(replacement, did))].filter(([kid, stage]) => before.get(kid) !== stage)
      if (changed.length > 0) await note({ change: 'signing', issuer: did, keys: Object.fromEntries(changed) })
      return result
    })
  }
  return {
    async versions() {
      const counts = await sealedKeys.counts()
      return (await sealedKeys.versions()).map(one => ({ ...one, keys: counts.get(one.version) ?? 0 }))
    },
    async rotate(options) {
      await note({ change: 'rotate', dropOld: options.drop })
      const report = await rotateKeys(keySource(keyFile, environment), sealedKeys, options)
      await note({ change: 'rotated', ...report })
      return report
    },
    issuer:
      config === null
        ? null
        : {
            did: didWebOf(config.origin),
            keys: did => replacement.keys(did),
            proceed: did => noted(did, () => replacement.proceed(did)),
            emergency: did => noted(did, () => replacement.emergency(did)),
          },
    async close() {
      await home.close()
      await network.close()
    },
  }
}

/** Who runs this, as the machine knows them. */
const BY = `uid:${process.getuid?.() ?? 'unknown'}@${hostname()}`

async function stagesOf(replacement: KeyReplacement, did: Did): Promise<ReadonlyMap<string, string>> {
  return new Map((await replacement.keys(did)).map(key => [key.kid, stageOf(key)]))
}
