import { openService, type ServiceOptions } from './service.js'

/** Runs the service until SIGINT or SIGTERM: `procura serve`. */
export async function serve(options: ServiceOptions & { readonly print: (line: string) => void }): Promise<void> {
  const service = await openService(options)
  const { config, did, operator, storage, address } = service
  const { print } = options
  print(`procura listens on ${address} as ${config.origin}`)
  print(`  issuer    ${did}`)
  print(`  operator  ${operator} (wallet ${config.operator})`)
  print(`  storage   ${storage}`)
  print(`  try next  curl ${address}/.well-known/did.json`)
  await new Promise(resolve => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  print('procura stops')
  await service.close()
}
