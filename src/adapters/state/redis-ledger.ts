import { ProcuraError, isProcuraError } from '../../errors.js'
import type { Charge, Ledger, Settlement, Throttle } from '../../ports/deciding.js'
import type { Ids, Transactions } from '../../ports/world.js'
import { SKEW } from '../../time.js'
import { epochKey, SINCE, type Epoch } from './redis-epoch.js'
import { scriptOf, type RedisSpace } from './redis-keys.js'

/** Calls in windows of at most so many seconds are counted in Redis; a longer one would be forgotten for too long with it. */
export const HOT_WINDOW = 300

type Answer = null | 'used' | Throttle | Charge

/**
 * All or none, and with `ARGV[4]` of 0 neither: uses what was not used, and counts under rates that have room. What this
 * very settlement took before, it has: it may be asked again where nobody knows what became of the first time.
 *
 * KEYS: the epoch, uses, rates. ARGV: now, the epoch's name, the settlement's name, whether to take, the number of uses;
 * for each use when it was issued and for how many milliseconds it is kept; for each rate its max and seconds.
 */
const SETTLE = `
${SINCE}
local now, name, take, uses = tonumber(ARGV[1]), ARGV[3], ARGV[4] == '1', tonumber(ARGV[5])
for i = 1, uses do
  if tonumber(ARGV[4 + 2 * i]) <= since then return {'lost'} end
end
for i = 1, uses do
  local by = redis.call('GET', KEYS[1 + i])
  if by and by ~= name then return {'used'} end
end
for i = uses + 1, #KEYS - 1 do
  local max, per = tonumber(ARGV[4 + 2 * i]), tonumber(ARGV[5 + 2 * i])
  if now - per < since then return {'lost'} end
  local full = redis.call('ZCOUNT', KEYS[1 + i], now - per, '+inf') >= max
  if full and not redis.call('ZSCORE', KEYS[1 + i], name) then return {'full', tostring(i - uses - 1)} end
end
if not take then return {'free'} end
for i = 1, uses do
  redis.call('SET', KEYS[1 + i], name, 'PX', ARGV[5 + 2 * i])
end
for i = uses + 1, #KEYS - 1 do
  local key, per = KEYS[1 + i], tonumber(ARGV[5 + 2 * i])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. (now - per))
  redis.call('ZADD', key, 'NX', now, name)
  redis.call('PEXPIRE', key, (per + ${SKEW}) * 1000)
end
return {'free'}
`

/** Ends a transaction so that nothing of it stays; carries the answer out. */
class Refused extends Error {
  readonly answer: Answer

  constructor(answer: Answer) {
    super('refused')
    this.answer = answer
  }
}

/**
 * Uses and calls in short windows in Redis, what is spent and held in the database. Where both are asked, Redis is looked
 * at first, the charges are made in a transaction, the uses are taken last in it, and then it is committed. Whoever dies
 * in between leaves a use without a charge, which nobody can use any more, or a charge nobody was told of; never a use
 * that can be made twice, nor a yes without its charge.
 *
 * @param bounds - the ledger of the database
 */
export function redisLedger(
  space: RedisSpace,
  epoch: Epoch,
  bounds: Ledger,
  transactions: Transactions,
  ids: Ids,
): Ledger {
  const settleOnce = scriptOf(space, 'procuraSettle', SETTLE)

  /** @returns what refused, of what is kept here */
  async function ask({ uses, throttles, now }: Settlement, name: string, take: boolean): Promise<Answer> {
    const hot = throttles.filter(isHot)
    if (uses.length + hot.length === 0) return null
    if (new Set(uses.map(({ key }) => key)).size < uses.length) return 'used'
    const keys = [
      space.key(epochKey),
      ...uses.map(({ key }) => space.key('use', key)),
      ...hot.map(({ account }) => space.key('rate', account)),
    ]
    const given = [
      ...uses.flatMap(({ issuedAt, until }) => [issuedAt, Math.max(until - now + SKEW, 1) * 1000]),
      ...hot.flatMap(({ max, per }) => [max, per]),
    ]
    const [answer = '', at] = await epoch.asked(() =>
      settleOnce(keys, [now, epoch.name, name, take ? 1 : 0, uses.length, ...given]),
    )
    if (answer === 'free') return null
    if (answer === 'used') return 'used'
    const full = answer === 'full' ? hot[Number(at)] : undefined
    if (full !== undefined) return full
    throw epoch.refusal(answer)
  }

  async function settle(settlement: Settlement): Promise<Answer> {
    const rest = restOf(settlement)
    const name = ids.token()
    if (rest === null) return ask(settlement, name, true)
    const seen = await ask(settlement, name, false)
    if (seen !== null) return seen
    try {
      await transactions.transaction(async () => {
        const refused = (await bounds.settle(rest)) ?? (await ask(settlement, name, true))
        if (refused !== null) throw new Refused(refused)
      })
      return null
    } catch (error) {
      if (error instanceof Refused) return error.answer
      throw isProcuraError(error) && error.code === 'STORAGE_UNAVAILABLE'
        ? new ProcuraError('LEDGER_UNAVAILABLE', { why: error.code }, { cause: error })
        : error
    }
  }

  return {
    settle,
    async probe(settlement) {
      const rest = restOf(settlement)
      const seen = await ask(settlement, ids.token(), false)
      return seen ?? (rest === null ? null : bounds.probe(rest))
    },
    held: (id, now) => bounds.held(id, now),
    close: (id, to, now) => bounds.close(id, to, now),
  }
}

/** What of a settlement is the database's; `null` if nothing is. */
function restOf({ throttles, ...settlement }: Settlement): Settlement | null {
  const rest = { ...settlement, uses: [], throttles: throttles.filter(one => !isHot(one)) }
  return rest.throttles.length + rest.charges.length === 0 && rest.hold === null ? null : rest
}

function isHot({ per }: Throttle): boolean {
  return per <= HOT_WINDOW
}
