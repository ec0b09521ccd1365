export type { Allowed } from '../adapters/http/allowed.js'
export { acceptChains, requireAuthority, type GuardedEnv, type GuardOptions } from '../adapters/http/hono-guard.js'
