import { toldStatus } from '../adapters/audit/told.js'
import type { Repairable } from '../adapters/cli/fsck.js'
import { readMarker, resetMarker } from '../adapters/marker/file.js'
import { openStore } from '../adapters/store/store.js'
import { systemClock } from '../adapters/system.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { parseKey } from '../audit/note.js'
import { didWebOf } from '../did/web.js'
import { openAudits } from './audit.js'
import { markerOf, readConfig } from './config.js'

/**
 * Opens what an agent file describes for looking after it, while no service runs on it.
 *
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE, AUDIT_UNAVAILABLE
 */
export async function openRepair(
  path: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Repairable> {
  const config = await readConfig(await readAgentFile(path, environment), environment)
  const marker = markerOf(config)
  const statusBase = `${config.origin}/v1/status/`
  const opened: (() => Promise<unknown>)[] = []
  const { log, logs, folders } = await openAudits(config, opened)
  const store = await openStore(config.storage, config.status.bits)
  const { statusRepair } = store
  return {
    findings: () => store.check(),
    reached: () => readMarker(marker),
    stands: async () => ({ sequence: await statusRepair.sequence(), auditSize: await log.size() }),
    async reconcile() {
      const { sequence: reached } = await readMarker(marker)
      const told = (await Promise.all(folders.map(([folder, { key }]) => toldStatus(folder, parseKey(key))))).flat()
      told.sort((a, b) => a.at - b.at)
      const ours = told.filter(({ list }) => list.startsWith(statusBase))
      const { unknown } = await statusRepair.reconcile(
        reached,
        ours.map(one => ({ ...one, list: one.list.slice(statusBase.length) })),
        didWebOf(config.origin),
        systemClock.now(),
      )
      const sequence = await statusRepair.sequence()
      await logs.record({ type: 'reconcile', at: systemClock.now(), reached, sequence, told: ours.length, unknown })
      await resetMarker(marker, { sequence, auditSize: await log.size() })
      return { told: ours.length, unknown }
    },
    async close() {
      await store.close()
      for (const one of opened) await one()
    },
  }
}
