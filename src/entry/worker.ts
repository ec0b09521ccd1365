import { linkOver } from '../adapters/processes/link.js'
import type { Metrics } from '../adapters/telemetry/metrics.js'
import { ProcuraError } from '../errors.js'
import { commonsOver } from './commons.js'
import { openService, type Service } from './service.js'

const [config = ''] = process.argv.slice(2)
let starting: Promise<Service> | null = null
let metrics: Metrics | null = null

const link = linkOver(
  {
    send: (message, done) => process.send?.(message, undefined, undefined, done),
    hear: listener => void process.on('message', listener),
    miss: listener => void process.on('disconnect', listener),
  },
  {
    async start() {
      starting = commonsOver(link, own => (metrics = own)).then(commons =>
        openService({ config, environment: process.env, commons }),
      )
      const { did, operator, storage, address } = await starting
      return { did, operator, storage, address }
    },
    stop: async () => (await starting?.catch(() => null))?.close(),
    figures() {
      if (metrics === null) throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'this process', why: 'it starts' })
      return metrics.json()
    },
  },
)
// the process that started this one says when to stop: a terminal and a supervisor tell all of them at once
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => void starting?.then(() => link.ask('leave')).catch(() => undefined))
process.once('disconnect', () => process.exit())
void link.ask('listening')
