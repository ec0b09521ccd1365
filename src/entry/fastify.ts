export { acceptChains, requireAuthority, type Guarded, type GuardOptions } from '../adapters/http/fastify-guard.js'
