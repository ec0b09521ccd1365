import { openRedis, type RedisLink } from '../adapters/state/redis.js'
import { redisChains } from '../adapters/state/redis-chains.js'
import { beginEpoch, epochNameIn, epochOf, nameEpoch } from '../adapters/state/redis-epoch.js'
import { spaceOf, type RedisSpace } from '../adapters/state/redis-keys.js'
import { HOT_WINDOW, redisLedger } from '../adapters/state/redis-ledger.js'
import { redisNonces } from '../adapters/state/redis-nonces.js'
import { redisWakeUps, type WakeUps } from '../adapters/state/redis-wake-ups.js'
import { IN_DATABASE, inPlace, Keepers } from '../adapters/store/keepers.js'
import { storeState } from '../adapters/store/state.js'
import type { Store } from '../adapters/store/store.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { State } from '../ports/deciding.js'
import type { Clock, Ids } from '../ports/world.js'

/** Milliseconds between two looks at what the state relies on. */
const PERIOD = 10_000
/** Milliseconds between two while something is wrong with it. */
const SOON = 1000

/** A state that processes share, and what it rests on. */
export interface SharedState {
  readonly state: State
  /** `null`: all of it is in the database */
  readonly redis: RedisLink | null
  /** Looks at all that the state relies on. @throws REPLAY_UNAVAILABLE, STORAGE_UNAVAILABLE */
  readonly check: () => Promise<void>
  /**
   * Calls `heard` at once when another process of this state rings; without a Redis nobody is told.
   *
   * @returns rings
   */
  readonly wakeUps: (heard: () => void) => () => void
  close(): Promise<void>
}

/**
 * The state on a store: all of it in its tables, or with a Redis what is hot there. Money stays in the tables.
 *
 * @param url - of the Redis
 * @throws CONFIG_INVALID - other processes keep it elsewhere, or that Redis forgets; SERVICE_UNAVAILABLE
 */
export async function openState(store: Store, url: string | undefined, clock: Clock, ids: Ids): Promise<SharedState> {
  const keepers = new Keepers(store.dataSource, clock)
  const inTables = storeState(store, clock, ids)
  if (url === undefined) {
    const { since } = await keepers.join(IN_DATABASE)
    const state = { ...inTables, ledger: inPlace(inTables.ledger, keepers, { since, window: HOT_WINDOW }) }
    return watched(keepers, IN_DATABASE, state, null, () => Promise.resolve())
  }
  const link = await openRedis(url)
  try {
    const space = spaceOf(link, await keepers.installation())
    const known = await epochNameIn(space)
    if (known === null && ((await keepers.living()) ?? IN_DATABASE) !== IN_DATABASE) {
      const why = `${link.name} does not know this installation, and other processes rely on another Redis, or this one lost its memory a moment ago: give all of them the same one, or try again in a minute`
      throw new ProcuraError('CONFIG_INVALID', { at: 'state', why })
    }
    const epoch = epochOf(space, known ?? (await nameEpoch(space, ids.token())), () => clock.now())
    await epoch.check().catch((cause: unknown) => {
      const why = isProcuraError(cause) && cause.code === 'REPLAY_UNAVAILABLE' ? String(cause.facts['why']) : link.name
      throw new ProcuraError('CONFIG_INVALID', { at: 'state', why }, { cause })
    })
    const by = `redis ${epoch.name}`
    const { since, isMoved } = await keepers.join(by)
    if (isMoved) await beginEpoch(space, epoch.name, since)
    const ledger = inPlace(redisLedger(space, epoch, inTables.ledger, store, ids), keepers, { since: 0, window: 0 })
    const hot = { ledger, nonces: redisNonces(space, clock, ids), chains: redisChains(space, clock) }
    return watched(keepers, by, { ...inTables, ...hot }, space, () => epoch.check())
  } catch (error) {
    await link.close()
    throw error
  }
}

/** A state whose process says that it lives, and looks at what it relies on. */
function watched(
  keepers: Keepers,
  by: string,
  state: State,
  space: RedisSpace | null,
  check: () => Promise<void>,
): SharedState {
  const redis = space?.link ?? null
  const listening: WakeUps[] = []
  let timer: NodeJS.Timeout
  let looking: Promise<void> | undefined
  let isClosed = false
  const look = async (): Promise<void> => {
    await Promise.all([keepers.beat(by), check()])
    keepers.requirePlace()
  }
  const later = (milliseconds: number): void => {
    if (isClosed) return
    timer = setTimeout(() => {
      looking = look().then(
        () => later(PERIOD),
        () => later(SOON),
      )
    }, milliseconds)
    timer.unref()
  }
  later(PERIOD)
  return {
    state,
    redis,
    async check() {
      await check()
      keepers.requirePlace()
    },
    wakeUps(heard) {
      if (space === null) return () => undefined
      const one = redisWakeUps(space, heard)
      listening.push(one)
      return () => one.ring()
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      await looking
      for (const one of listening) await one.close()
      // who cannot say that it goes is gone in a minute
      await keepers.leave().catch(() => undefined)
      await redis?.close()
    },
  }
}
