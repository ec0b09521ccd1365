import { linkOver } from '../adapters/processes/link.js'
import type { Metrics } from '../adapters/telemetry/metrics.js'
import { ProcuraError } from '../errors.js'
import { commonsOver } from './commons.js'
import { openService, type Service } from './service.js'

const [config = ''] = process.argv.slice(2)
let service: Service | null = null
let metrics: Metrics | null = null

const link = linkOver(
  {
    send: (message, done) => process.send?.(message, undefined, undefined, done),
    on: (event: string, listener: (...given: never[]) => void) => process.on(event, listener),
  },
  {
    async start() {
      const commons = await commonsOver(link, own => (metrics = own))
      service = await openService({ config, environment: process.env, commons })
      const { did, operator, storage, address } = service
      return { did, operator, storage, address }
    },
    stop: () => service?.close(),
    figures() {
      if (metrics === null) throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'this process', why: 'it starts' })
      return metrics.json()
    },
  },
)
// the process that started this one says when to stop; a terminal tells all of them
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => void service?.close().finally(() => process.exit()))
process.once('disconnect', () => process.exit())
