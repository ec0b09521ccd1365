import { setTimeout as startTimer } from 'node:timers'
import { setTimeout } from 'node:timers/promises'
import { MAX_EVENT, openEvent, readEvent, SILENCE, type Heartbeat } from '../../event/event.js'
import type { Did } from '../../did/did.js'
import type { PublicKey } from '../../ed25519.js'
import { ProcuraError, toProcuraError } from '../../errors.js'
import { parseJson } from '../../json.js'
import type { Sealed } from '../../jws/compact.js'
import type { FeedPositions, RevocationEvent } from '../../ports/deciding.js'
import type { Announced } from '../../ports/issuing.js'
import type { Clock } from '../../ports/world.js'
import { listOf, object, read, text } from '../../shape.js'
import { SKEW, type UnixSeconds } from '../../time.js'
import { messagesOf } from './event-stream.js'
import type { StreamingFetch } from './fetch.js'
import { createWatch, type Moment } from './watch.js'

/** A feed as a policy names it. */
export interface FeedSource {
  readonly issuer: Did
  /** canonical https URL */
  readonly url: string
}

/** Who heeds what a feed says. */
export interface FeedListener {
  /** A credential was revoked, or an agent stopped: for good, at `at`. */
  learn(event: RevocationEvent, at: UnixSeconds): Promise<void>
  /** A list changed: it has to be asked for anew. */
  expire(list: string): void
}

/** What {@link followFeed} needs. */
export interface FollowOptions {
  readonly fetch: StreamingFetch
  /** The key that a token's `kid` names; `null` if the issuer's document does not list it. */
  readonly find: (sealed: Sealed) => Promise<PublicKey | null>
  readonly clock: Clock
  readonly positions: FeedPositions
  readonly listener: FeedListener
  /** bearer secret, for a feed that is not public */
  readonly secret?: string | undefined
  /** milliseconds that never fall; the process's own unless given */
  readonly uptime?: (() => number) | undefined
  /** seconds without a heartbeat after which the stream is down; {@link SILENCE} */
  readonly silence?: number | undefined
}

/** How it stands with a feed. */
export interface FeedStanding extends FeedSource {
  readonly healthy: boolean
  /** the number up to which all was learned */
  readonly seq: number
  /** what ended or refused the stream last; `null` if nothing did */
  readonly why: string | null
}

/** What a heartbeat said. */
interface Noted {
  /** all that the feed had then has arrived */
  readonly isWhole: boolean
  /** younger than all before: no replay */
  readonly isNew: boolean
}

/** A feed that is followed. */
export interface Following {
  standing(): FeedStanding
  /** Stops; resolves when nothing is under way any more. */
  close(): Promise<void>
}

/** Announcements asked for at once. */
const PAGE = 200
const MAX_PAGE_BYTES = (PAGE + 1) * (MAX_EVENT + 8)
/** Milliseconds before the first new attempt, and at most between two; each is shortened at random by up to a half. */
const [FIRST_PAUSE, LONGEST_PAUSE] = [200, 5000]
const pageShape = object({ sets: listOf(text(undefined, MAX_EVENT), 0, PAGE), heartbeat: text(undefined, MAX_EVENT) })

/**
 * Follows a feed until it is closed: pulls what it missed, then listens. Each number is heeded exactly once and in order;
 * one that is missing, a token that does not verify, or silence ends the stream, and it is pulled until caught up. The
 * stream is healthy only while signed heartbeats say that nothing is missing. Never throws.
 *
 * @param source - its issuer is trusted by the policy; nobody else's tokens are looked at
 */
export function followFeed(source: FeedSource, options: FollowOptions): Following {
  const { issuer, url } = source
  const { fetch, find, clock, positions, listener, secret, silence = SILENCE } = options
  const name = `${issuer} ${url}`
  const watch = createWatch(clock, options.uptime)
  const headers = secret === undefined ? {} : { authorization: `Bearer ${secret}` }
  const closing = new AbortController()
  let seq = 0
  let isPlaced = false
  /** time of the newest heartbeat: what is not newer proves nothing about now */
  let newest = 0
  let heard: Moment | null = null
  let failures = 0
  let why: string | null = 'not connected yet'

  const broken = (reason: string): ProcuraError =>
    new ProcuraError('SERVICE_UNAVAILABLE', { service: url, why: reason })

  async function moveTo(next: number): Promise<void> {
    await positions.write(name, next)
    seq = next
  }

  async function heed({ type, target, status, seq: number, at }: Announced): Promise<void> {
    if (number <= seq) return
    if (number > seq + 1) throw broken(`event ${number} came after ${seq}`)
    if (type === 'revoked' || type === 'killed') await listener.learn({ target, signer: issuer }, at)
    if (status !== null) listener.expire(status.url)
    seq = number
  }

  /** @returns `null` for one that is older than what was heard: it proves nothing, and whoever repeats it ends nothing */
  async function note({ first, last, at }: Heartbeat): Promise<Noted | null> {
    if (Math.abs(clock.now() - at) > SKEW) throw broken('a heartbeat of another time')
    if (last < seq) {
      if (at <= newest) return null
      await moveTo(0) // restored from an older copy: the same numbers may name other events
      throw broken('the feed went back')
    }
    // what is not kept any more spoke of credentials that ended
    if (first > seq + 1) await moveTo(first - 1)
    const isNew = at > newest
    newest = Math.max(newest, at)
    return { isWhole: last === seq, isNew }
  }

  /** @returns what a heartbeat says; `null` for an old one and for an announcement */
  async function take(token: string): Promise<Noted | null> {
    const sealed = readEvent(token, issuer)
    const key = await find(sealed)
    if (key === null) throw new ProcuraError('KEY_NOT_AUTHORIZED', { kid: sealed.kid, purpose: 'assertionMethod' })
    const event = openEvent(sealed, key)
    if (event.type === 'heartbeat') return note(event.heartbeat)
    await heed(event.announced)
    return null
  }

  async function catchUp(): Promise<void> {
    for (let isWhole = false; !isWhole;) {
      const reply = await fetch.get(`${url}?after=${seq}&limit=${PAGE}`, {
        maxBytes: MAX_PAGE_BYTES,
        accept: 'application/json',
        headers,
      })
      if (reply.kind !== 'content') throw broken(reply.kind === 'failed' ? reply.why : reply.kind)
      const { sets, heartbeat } = read(pageShape, parseJson(reply.body, 'page').value, 'page')
      const before = seq
      await take(heartbeat)
      for (const token of sets) await take(token)
      if (sets.length > 0) await moveTo(seq)
      isWhole = (await take(heartbeat))?.isWhole === true
      if (!isWhole && seq === before) throw broken('it holds back what it has')
    }
  }

  function hear(silenceTimer: NodeJS.Timeout): void {
    heard = watch.mark()
    failures = 0
    why = null
    silenceTimer.refresh()
  }

  async function listen(): Promise<void> {
    const ending = new AbortController()
    const end = (): void => ending.abort()
    const timer = startTimer(end, silence * 1000).unref()
    const signal = AbortSignal.any([closing.signal, ending.signal])
    try {
      const opened = await fetch.open(
        url,
        { accept: 'text/event-stream', headers: { ...headers, 'last-event-id': String(seq) } },
        signal,
      )
      if (opened.kind !== 'open') throw broken(opened.kind === 'failed' ? opened.why : opened.kind)
      let isFirst = true
      for await (const token of messagesOf(opened.body, 2 * MAX_EVENT)) {
        const before = seq
        const noted = await take(token)
        if (seq > before) await positions.write(name, seq)
        if (noted?.isWhole === true && (noted.isNew || heard === null)) hear(timer)
        else if (noted?.isWhole === false && !isFirst) throw broken('an event is missing')
        isFirst = false
      }
      throw broken('the stream ended')
    } catch (error) {
      throw ending.signal.aborted ? broken(`no heartbeat for ${silence} s`) : error
    } finally {
      clearTimeout(timer)
      end()
    }
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        // once: another process on the same state may be ahead of the lists that this one keeps
        if (!isPlaced) seq = await positions.read(name)
        isPlaced = true
        await catchUp()
        await listen()
      } catch (error) {
        why = toProcuraError(error).message
      }
      heard = null
      const pause = Math.min(FIRST_PAUSE * 2 ** failures, LONGEST_PAUSE) * (1 - Math.random() / 2)
      failures += 1
      await setTimeout(pause, undefined, { signal: closing.signal, ref: false }).catch(() => undefined)
    }
  }

  const running = run()
  return {
    standing: () => ({ ...source, healthy: heard !== null && watch.age(heard) < silence, seq, why }),
    async close() {
      closing.abort()
      await running
    },
  }
}
