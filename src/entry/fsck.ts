import { toldStatus } from '../adapters/audit/told.js'
import { verifyLog } from '../adapters/audit/verify.js'
import type { Flaw, Repairable } from '../adapters/cli/fsck.js'
import { readMarker, resetMarker } from '../adapters/marker/file.js'
import { openStore } from '../adapters/store/store.js'
import { systemClock } from '../adapters/system.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { checkKeys } from '../adapters/veramo/check-keys.js'
import { readKeyFile } from '../adapters/veramo/key-file.js'
import { keySource } from '../adapters/veramo/key-source.js'
import { parseKey } from '../audit/note.js'
import { didWebOf } from '../did/web.js'
import { isProcuraError } from '../errors.js'
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
    async findings(onDone) {
      const keys = config.keyFile
      const more = [
        () => checkKeys(keySource(keys, environment), store.sealedKeys),
        ...[...config.audit, ...operatorKey(config.operator)].map(path => () => checkKeyFile(`${path}.key`)),
        ...folders.map(
          ([folder, { key }]) =>
            () =>
              checkLog(folder, key),
        ),
      ]
      let tables = 0
      const flaws = [...(await store.check((done, total) => onDone((tables = done), total + more.length)))]
      for (const [n, check] of more.entries()) {
        flaws.push(...(await check()))
        onDone(tables + n + 1, tables + more.length)
      }
      return flaws
    },
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

function operatorKey(wallet: string): readonly string[] {
  const path = /^sqlite:\/\/(.+)$/s.exec(wallet)?.[1]
  return path === undefined ? [] : [path]
}

/** A key file that is elsewhere is well kept. */
async function checkKeyFile(path: string): Promise<readonly Flaw[]> {
  try {
    await readKeyFile(path)
    return []
  } catch (error) {
    if (!isProcuraError(error)) throw error
    return [{ what: error.message, advice: 'chmod 600 it; if others may have read it, replace the key' }]
  }
}

async function checkLog(folder: string, key: string): Promise<readonly Flaw[]> {
  const { findings } = await verifyLog(folder, parseKey(key), [])
  const advice = `keep a copy of ${folder}, and find out who changed it: procura audit verify`
  return findings.map(({ from, to, what }) => ({
    what: `audit log ${folder}, record ${from === to ? from : `${from} to ${to}`}: ${what}`,
    advice,
  }))
}
