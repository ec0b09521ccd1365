import type { Client } from '../../api/client.js'
import { MAX_ROOT_TTL } from '../../delegation/narrowing.js'
import type { JsonObject } from '../../json.js'
import { toSeconds } from '../../time.js'
import { authorityIn, showGranted } from './granted.js'
import type { Output } from './output.js'
import { usageFault } from './problem.js'
import { readWrittenOptions, type WrittenOptions, type WrittenWorld } from './written-options.js'

/** Options of `procura grant`. */
export interface GrantOptions extends WrittenOptions, Output {}

/** What the command needs. */
export interface GrantWorld extends WrittenWorld {
  /** the service as its operator, reached once what is asked can be read */
  readonly asAdmin: (run: (admin: { readonly api: Pick<Client, 'grant'> }) => Promise<void>) => Promise<void>
}

/**
 * Issues a root capability and says what was granted, which is what the issuing policy made of it.
 *
 * @throws SCHEMA and the codes of an authority, GRANT_REFUSED, SUBJECT_UNKNOWN, … as the service answers; a usage fault
 */
export async function grantCommand(options: GrantOptions, world: GrantWorld): Promise<void> {
  const { to, ttl, draft, origins } = await readWrittenOptions(options, world)
  const seconds = secondsOf(ttl)
  if (to === null) throw usageFault('--to is due: who receives it')
  const audience = draft.audience.length === 0 ? origins : draft.audience
  const authority = { ...draft, audience } as unknown as JsonObject
  await world.asAdmin(async ({ api }) => {
    const { credential, ...issued } = await api.grant({ body: { to, ttl: seconds, authority } })
    const granted = { ...issued, to, chain: [credential], authority: authorityIn(credential) }
    showGranted(world.terminal, options, granted, seconds)
  })
}

/** How long something lives. @throws a usage fault */
export function secondsOf(ttl: string | number | null): number {
  const seconds = typeof ttl === 'string' && /^\d+$/.test(ttl) ? toSeconds(Number(ttl)) : toSeconds(ttl)
  if (seconds !== null && seconds <= MAX_ROOT_TTL) return seconds
  throw usageFault(`--ttl is due: up to ${MAX_ROOT_TTL / 3600} h, as 90s, 30m or 12h`)
}
