import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock, Ids } from '../ports.js'

/** The machine's clock, in whole seconds. */
export const systemClock: Clock = { now: () => Math.floor(Date.now() / 1000) }

/** Names from the system's random source. */
export const systemIds: Ids = {
  uuid: () => randomUUID(),
  token: () => randomBytes(16).toString('base64url'),
}
