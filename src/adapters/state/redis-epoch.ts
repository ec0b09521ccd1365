import { isProcuraError, ProcuraError } from '../../errors.js'
import { MARGIN, type UnixSeconds } from '../../time.js'
import { scriptOf, type RedisSpace } from './redis-keys.js'

/** Kind of the key that says since when nothing was forgotten. */
export const epochKey = 'epoch'

/**
 * The beginning of a script whose first key is the epoch, first argument the time and second the epoch's name: `since`
 * is the second up to which things may have been forgotten. An epoch belongs to one run of one server. On a server that
 * was restarted, replaced by its replica, or emptied, a new one begins: what it forgot, nobody can know. It begins by the
 * later of two clocks, so one that is behind forgets nothing.
 */
export const SINCE = `
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local since, held, of = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%x+) (.+)$')
if of and of ~= ARGV[2] then return {'foreign'} end
if not run then return {'unnamed'} end
if held ~= run then
  since = math.max(tonumber(ARGV[1]), tonumber(redis.call('TIME')[1])) + ${MARGIN}
  redis.call('SET', KEYS[1], since .. ' ' .. run .. ' ' .. ARGV[2])
end
since = tonumber(since)
`

/** Answers `free`, and what the server does when it is full. */
const LOOK = `
${SINCE}
return {'free', string.match(redis.call('INFO', 'memory'), 'maxmemory_policy:(%S+)') or 'unknown'}
`

/** Whose memory a Redis is, and since when. */
export interface Epoch {
  /** what all processes that share it know it by */
  readonly name: string
  /** Asks a script that begins with {@link SINCE}. @throws REPLAY_UNAVAILABLE */
  asked<T>(work: () => Promise<T>): Promise<T>
  /** what an answer means that is none: `lost`, `foreign`, `unnamed` */
  refusal(answer: string): ProcuraError
  /** Looks whether all still is as it has to be. @throws REPLAY_UNAVAILABLE */
  check(): Promise<void>
}

const WHY: Readonly<Record<string, string>> = {
  lost: 'issued before Redis began to remember: it was restarted or replaced',
  foreign: 'Redis was taken over by others',
  unnamed: 'Redis does not tell one run from another',
}

/** The name of the epoch that a Redis holds for this installation; `null` without one. @throws SERVICE_UNAVAILABLE */
export async function epochNameIn({ link, key }: RedisSpace): Promise<string | null> {
  const text = await link.attempt(() => link.redis.get(key(epochKey)))
  return text?.split(' ')[2] ?? null
}

/** Names the epoch of a Redis that has none; of several at once, one does. It belongs to no run yet. */
export async function nameEpoch(space: RedisSpace, name: string): Promise<string> {
  const { link, key } = space
  await link.attempt(() => link.redis.set(key(epochKey), `0 0 ${name}`, 'NX'))
  return (await epochNameIn(space)) ?? name
}

/**
 * Puts an epoch in place that begins at `since`, or now by the server's clock if that is later: what was issued after it was
 * used nowhere. At 0 nothing was used yet.
 *
 * @throws SERVICE_UNAVAILABLE
 */
export async function beginEpoch(space: RedisSpace, name: string, since: UnixSeconds): Promise<void> {
  const begin = scriptOf(
    space,
    'procuraBegin',
    `
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or 'none'
local since = tonumber(ARGV[1])
if since > 0 then since = math.max(since, tonumber(redis.call('TIME')[1]) + ${MARGIN}) end
redis.call('SET', KEYS[1], since .. ' ' .. run .. ' ' .. ARGV[2])
return {}
`,
  )
  await begin([space.key(epochKey)], [since, name])
}

/**
 * The epoch of this name. Refuses all while the server would forget what it has no room for.
 *
 * @param now - the caller's clock
 */
export function epochOf(space: RedisSpace, name: string, now: () => UnixSeconds): Epoch {
  const look = scriptOf(space, 'procuraLook', LOOK)
  let forgetful: string | null = null
  const refusal = (why: string): ProcuraError => new ProcuraError('REPLAY_UNAVAILABLE', { why })
  const asked = async <T>(work: () => Promise<T>): Promise<T> => {
    if (forgetful !== null) throw refusal(forgetful)
    return unavailable(work)
  }
  return {
    name,
    asked,
    refusal: answer => refusal(WHY[answer] ?? 'Redis does not answer as it should'),
    async check() {
      const [answer = '', policy = ''] = await unavailable(() => look([space.key(epochKey)], [now(), name]))
      forgetful = answer === 'free' ? forgetfulness(policy) : (WHY[answer] ?? answer)
      if (forgetful !== null) throw refusal(forgetful)
    },
  }
}

/** Why a server may forget what it was told to keep; `null` if it does not. */
function forgetfulness(policy: string): string | null {
  if (policy === 'noeviction') return null
  return `Redis would forget when it is full: maxmemory-policy is ${policy} and must be noeviction`
}

/** Whatever keeps Redis from answering is "do not know". */
export async function unavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (isProcuraError(cause) && cause.code === 'REPLAY_UNAVAILABLE') throw cause
    // callers are strangers: what names the server stays in the cause
    const isFull = isProcuraError(cause) && /^OOM/.test(String(cause.facts['why']))
    const why = isFull ? 'Redis is full' : 'Redis does not answer'
    throw new ProcuraError('REPLAY_UNAVAILABLE', { why }, { cause })
  }
}
