import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import type { Clock, Ids } from '../ports/world.js'

/** The machine's clock, in whole seconds. */
export const systemClock: Clock = { now: () => Math.floor(Date.now() / 1000) }

/** Resolves when the next whole second of the machine's clock has begun. */
export async function nextSecond(): Promise<void> {
  await setTimeout(1001 - (Date.now() % 1000))
}

/** Names from the system's random source. */
export const systemIds: Ids = {
  uuid: () => randomUUID(),
  token: () => randomBytes(16).toString('base64url'),
}
