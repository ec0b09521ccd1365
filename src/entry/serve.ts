import { openProcesses } from './processes.js'
import type { ServiceOptions } from './service.js'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Runs the service until SIGINT or SIGTERM: `procura serve`. */
export async function serve(options: ServiceOptions & { readonly print: (line: string) => void }): Promise<void> {
  const service = await openProcesses(options)
  const { config, did, operator, storage, address } = service
  const { print } = options
  print(`procura listens on ${address} as ${config.origin}`)
  print(`  issuer    ${did}`)
  print(`  operator  ${operator} (wallet ${config.operator})`)
  print(`  storage   ${storage}`)
  if (config.listen.processes > 1) print(`  processes ${config.listen.processes}`)
  print(`  try next  curl ${address}/.well-known/did.json`)
  await new Promise<void>(resolve => {
    const stop = (): void => {
      // whoever signals once more does not want to wait
      for (const signal of SIGNALS) process.off(signal, stop)
      resolve()
    }
    for (const signal of SIGNALS) process.on(signal, stop)
  })
  print('procura stops')
  await service.close()
}
