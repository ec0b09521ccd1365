import type { FastifyRequest } from 'fastify'
import { s256 } from '../../encoding.js'
import { ProcuraError } from '../../errors.js'
import type { Answers, Clock, Transactions } from '../../ports/world.js'
import { headerValues } from './guard.js'

/** What a key is asked with. */
export interface KeyedCall {
  /** who calls: keys of different callers are different keys */
  readonly who: string
  readonly key: string
  /** digest of the request */
  readonly request: string
  /** the work and its answer take effect together; else the work is the same when it is done again */
  readonly isAtomic: boolean
}

/** Does what is asked under a key once, and answers as the first time. */
export type Repeats = (call: KeyedCall, work: () => Promise<unknown>) => Promise<Repeated>

/** An answer, and whether it is the first one. */
export interface Repeated {
  readonly answer: unknown
  readonly isReplay: boolean
}

/** Header that names a call for who may have to ask again. */
export const KEY_HEADER = 'idempotency-key'
/** Seconds that answers are kept. */
const KEPT = 86_400

/** Answers are kept for a day. A refusal is none: nothing happened, and asking again may end better. */
export function createRepeats(answers: Answers, transactions: Transactions, clock: Clock): Repeats {
  return ({ who, key, request, isAtomic }, work) => {
    const name = `${who} ${key}`
    const once = async (): Promise<Repeated> => {
      const now = clock.now()
      const asked = await answers.claim(name, request, now, now + KEPT)
      if (asked !== null && asked.request !== request) throw new ProcuraError('IDEMPOTENCY_CONFLICT', {})
      if (asked !== null && asked.answer !== null) return { answer: JSON.parse(asked.answer), isReplay: true }
      const answer = await work().catch(async (refusal: unknown) => {
        // a transaction undoes its claim by itself
        if (!isAtomic) await answers.forget(name)
        throw refusal
      })
      await answers.keep(name, JSON.stringify(answer))
      return { answer, isReplay: false }
    }
    return isAtomic ? transactions.transaction(once) : once()
  }
}

/** The key of a request; `undefined` without one. @throws SCHEMA */
export function keyOf(request: FastifyRequest): string | undefined {
  const [key, ...more] = headerValues(request.raw, KEY_HEADER)
  if (key === undefined || (more.length === 0 && /^[A-Za-z0-9._~:-]{1,128}$/.test(key))) return key
  throw new ProcuraError('SCHEMA', { at: `header ${KEY_HEADER}`, why: 'is not 1 to 128 letters, digits or ._~:-' })
}

/** Digest of what is asked: the same key with another of these is a mistake. */
export function requestDigest({ method, raw }: FastifyRequest, body: Uint8Array | null): string {
  return s256(`${method} ${raw.url ?? ''} ${Buffer.from(body ?? []).toString('latin1')}`)
}
