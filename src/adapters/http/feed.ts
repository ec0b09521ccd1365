import { LRUCache } from 'lru-cache'
import type { ServerResponse } from 'node:http'
import { once } from 'node:events'
import { HEARTBEAT, toEventJson, toHeartbeatJson } from '../../event/event.js'
import { ProcuraError } from '../../errors.js'
import { signJws, type Signer } from '../../jws/compact.js'
import type { Outbox } from '../../ports/issuing.js'
import type { IssuingKeys } from '../../ports/keys.js'
import type { Clock } from '../../ports/world.js'

/** Rings when this process announced something, so that nobody waits for the next look. */
export class Bell {
  #listener: () => void = () => undefined

  /** Calls `listener` from now on, and nobody else. */
  hear(listener: () => void): void {
    this.#listener = listener
  }

  /** Calls who listens, if anybody does. */
  ring(): void {
    this.#listener()
  }
}

/** What a feed is served from. */
export interface FeedParts {
  readonly outbox: Pick<Outbox, 'since' | 'span'>
  readonly bell: Bell
  /** the issuer's */
  readonly keys: Pick<IssuingKeys, 'did' | 'signer'>
  readonly clock: Clock
  /** milliseconds between two heartbeats; {@link HEARTBEAT} */
  readonly heartbeat?: number
  /** milliseconds a reader may take to make room for more; 10 000 */
  readonly patience?: number
  /** streams at once; 1000 */
  readonly maxReaders?: number
}

/** A piece of the feed. */
export interface Page {
  /** tokens, lowest number first */
  readonly sets: readonly string[]
  /** what the feed had right after: if `sets` reaches it, there was no more */
  readonly heartbeat: string
}

/** The feed as its readers get it. */
export interface ServedFeed {
  /** At most `limit` of those after `after`. @throws STORAGE_UNAVAILABLE */
  page(after: number, limit: number): Promise<Page>
  /** The highest number given out. @throws STORAGE_UNAVAILABLE */
  last(): Promise<number>
  /**
   * Writes the feed to `to` from `after` on, until the reader goes, cannot keep up, or the feed closes: a heartbeat, what
   * there is, a heartbeat, and from then on what comes, with a heartbeat at least every ten seconds.
   *
   * @throws SERVICE_UNAVAILABLE - too many readers, or it is closed
   */
  stream(to: ServerResponse, after: number): void
  /** Ends all streams. */
  close(): void
}

/** Milliseconds between two looks at the outbox: other processes write there too. */
const POLL = 100
/** Announcements written in one piece. */
const AT_ONCE = 100
/** Signed tokens kept. */
const KEPT = 10_000
const HEAD = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  // a proxy that collects would turn a second into minutes
  'x-accel-buffering': 'no',
  // the end of the stream is the end of its connection: a service that stops waits for none
  connection: 'close',
}

/** Announcements as a stream writes them, and the number of the last. */
interface Piece {
  readonly bytes: Uint8Array
  readonly cursor: number
}

interface Beat {
  readonly token: string
  readonly last: number
}

/** Serves the outbox of this service; tokens are signed when they are asked for. */
export function serveFeed(parts: FeedParts): ServedFeed {
  const { outbox, bell, keys, clock, heartbeat = HEARTBEAT * 1000, patience = 10_000, maxReaders = 1000 } = parts
  const signed = new LRUCache<string, string>({ max: KEPT })
  const readers = new Map<ServerResponse, () => void>()
  const asking = new Map<number, Promise<Piece | null>>()
  let timer: NodeJS.Timeout | null = null
  let looking = false
  let isClosed = false
  let last = 0

  async function tokenOf(what: string, claims: object, signer: Signer): Promise<string> {
    const name = `${signer.kid} ${what}`
    const known = signed.get(name) ?? (await signJws(claims, 'secevent+jwt', signer))
    signed.set(name, known)
    return known
  }

  /** What the feed has at a moment not before the call; the clock is read first, so it says nothing too young. */
  async function beat(): Promise<Beat> {
    const at = clock.now()
    const span = await outbox.span()
    const claims = toHeartbeatJson({ ...span, at }, keys.did)
    const token = await tokenOf(`${span.first} ${span.last} ${at}`, claims, await keys.signer())
    return { token, last: span.last }
  }

  async function tokens(
    after: number,
    limit: number,
  ): Promise<readonly { readonly seq: number; readonly token: string }[]> {
    const announced = await outbox.since(after, limit)
    if (announced.length === 0) return []
    const signer = await keys.signer()
    return Promise.all(
      announced.map(async one => {
        const token = await tokenOf(`${one.seq}`, toEventJson(one, keys.did), signer)
        return { seq: one.seq, token }
      }),
    )
  }

  /** What a stream gets next, and where it stands then; readers that stand at one place share the question and its answer. */
  function next(after: number): Promise<Piece | null> {
    const asked =
      asking.get(after) ??
      tokens(after, AT_ONCE)
        .then(some => {
          const newest = some.at(-1)
          const text = some.map(({ seq, token }) => `id: ${seq}\n${eventOf(token)}`).join('')
          return newest === undefined ? null : { bytes: Buffer.from(text), cursor: newest.seq }
        })
        .finally(() => asking.delete(after))
    asking.set(after, asked)
    return asked
  }

  function look(): void {
    if (looking || readers.size === 0) return
    looking = true
    outbox.span().then(
      span => {
        looking = false
        if (span.last === last) return
        last = span.last
        for (const wake of readers.values()) wake()
      },
      () => {
        looking = false
        closeAll() // no news and no heartbeat can be told: readers shall know
      },
    )
  }

  function closeAll(): void {
    for (const [to, wake] of readers) {
      readers.delete(to)
      to.end()
      wake()
    }
  }

  /** Resolves when there may be something after `cursor`, after `milliseconds` at the latest. */
  function news(to: ServerResponse, cursor: number, milliseconds: number): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        clearTimeout(late)
        resolve()
      }
      const late = setTimeout(wake, milliseconds)
      if (last > cursor || !readers.has(to)) wake()
      else readers.set(to, wake)
    })
  }

  async function write(to: ServerResponse, text: string | Uint8Array): Promise<void> {
    if (!readers.has(to) || to.write(text)) return
    await once(to, 'drain', { signal: AbortSignal.timeout(patience) })
  }

  async function run(to: ServerResponse, after: number): Promise<void> {
    let cursor = after
    await write(to, eventOf((await beat()).token))
    for (let due = 0; readers.has(to);) {
      const piece = await next(cursor)
      if (piece !== null) {
        await write(to, piece.bytes)
        cursor = piece.cursor
        continue
      }
      const left = due - performance.now()
      if (left > 0) {
        await news(to, cursor, left)
        continue
      }
      const { token, last: reached } = await beat()
      if (reached > cursor) continue
      await write(to, eventOf(token))
      due = performance.now() + heartbeat
    }
  }

  bell.hear(look)
  return {
    async page(after, limit) {
      const sets = (await tokens(after, limit)).map(one => one.token)
      return { sets, heartbeat: (await beat()).token }
    },
    last: async () => (await outbox.span()).last,
    stream(to, after) {
      // nobody would end it any more, and the service waits for every answer
      if (isClosed) throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the feed', why: 'it stops' })
      if (readers.size >= maxReaders) {
        throw new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the feed', why: 'it has too many readers' })
      }
      readers.set(to, () => undefined)
      timer ??= setInterval(look, POLL).unref()
      to.on('error', () => undefined) // says no more than its end does
      to.once('close', () => {
        const wake = readers.get(to)
        readers.delete(to)
        wake?.()
        if (readers.size > 0 || timer === null) return
        clearInterval(timer)
        timer = null
      })
      to.writeHead(200, HEAD)
      run(to, after).then(
        () => to.end(),
        () => to.destroy(),
      )
    },
    close() {
      isClosed = true
      closeAll()
    },
  }
}

function eventOf(token: string): string {
  return `data: ${token}\n\n`
}
