export type { Allowed } from '../adapters/http/allowed.js'
export { acceptChains, requireAuthority, type GuardOptions } from '../adapters/http/express-guard.js'
