import { fileURLToPath } from 'node:url'
import { createCounter, type Take } from '../adapters/processes/counts.js'
import { startWorkers, type Workers } from '../adapters/processes/workers.js'
import { createLog } from '../adapters/telemetry/log.js'
import { summed } from '../adapters/telemetry/metrics.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { openCommons, type Commons } from './commons.js'
import { readConfig } from './config.js'
import { openService, type Service, type ServiceOptions } from './service.js'

/** A service that runs, in one process or in several. */
export type Running = Omit<Service, 'app' | 'hosting'>

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url))
/** Milliseconds after which the figures of a worker are left out. */
const PATIENCE = 1000

/**
 * Starts the service that an agent file describes in as many processes as it says. With more than one, this process
 * answers no call: it keeps the audit log and the counts of calls for its workers, and replaces those that die.
 *
 * @throws as {@link openService}
 */
export async function openProcesses(options: ServiceOptions): Promise<Running> {
  const { config: path, environment } = options
  const config = await readConfig(await readAgentFile(path, environment), environment)
  if (config.listen.processes === 1) return openService(options)
  const log = createLog(config.telemetry.log)
  const onDeath = (error: unknown): void => {
    log.error({ err: error }, 'a process of the service')
    options.onDefect?.(error)
  }
  const opened: (() => Promise<unknown>)[] = []
  const end = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one()
  }
  try {
    const commons = await openCommons(config, opened)
    const count = createCounter(() => performance.now())
    const workers: Workers<Omit<Running, 'config' | 'close'>> = await startWorkers({
      count: config.listen.processes,
      file: WORKER,
      args: [path],
      environment,
      verbs: {
        ...kept(commons),
        take: (asked: Take) => count(asked),
        figures: async () => summed(await workers.askAll<object>('figures', PATIENCE)),
      },
      onDeath,
    })
    opened.push(() => workers.stop())
    return { ...workers.started, config, close: end }
  } catch (error) {
    await end()
    throw error
  }
}

function kept({ log, logs, ask }: Commons) {
  return {
    key: () => log.key,
    size: () => log.size(),
    record: ([entry, soon]: [object, boolean]) => logs.record(entry, soon),
    writable: () => logs.requireWritable(),
    search: (asked: Parameters<Commons['ask']>) => ask(...asked),
  }
}
