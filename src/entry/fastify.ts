export type { Allowed } from '../adapters/http/allowed.js'
export { acceptChains, requireAuthority, type Guarded, type GuardOptions } from '../adapters/http/fastify-guard.js'
