import { lookup as systemLookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'
import { Agent, type Dispatcher } from 'undici'
import { isForbiddenHost, isPublicAddress } from './address.js'
import { parseConnect, type Connect } from './connect.js'

/** The addresses of a host name, as the system resolver tells them. */
export type Lookup = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

/** What came of asking. Callers give `forbidden` and `failed` the code of what they were asked for. */
export type Reply =
  | { readonly kind: 'content'; readonly body: Uint8Array; readonly etag: string | null }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'forbidden'; readonly host: string }
  | { readonly kind: 'failed'; readonly why: string }

/** What to ask for. */
export interface Wanted {
  /** bytes of the body; one more and the answer is refused */
  readonly maxBytes: number
  readonly accept: string
  /** `If-None-Match`; without it a 304 is a failure */
  readonly etag?: string | undefined
  /** sent as they are */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** What came of opening a stream. */
export type Opened = { readonly kind: 'open'; readonly body: AsyncIterable<Uint8Array> } | Refused

type Refused = Extract<Reply, { readonly kind: 'forbidden' | 'failed' }>

/** GET for URLs that a stranger chose. */
export interface GuardedFetch {
  /** Never throws for anything the URL or its host does. */
  get(url: string, wanted: Wanted): Promise<Reply>
  /** Closes idle connections; requests under way fail. */
  close(): Promise<void>
}

/** The same for bodies that have no end. */
export interface StreamingFetch extends GuardedFetch {
  /**
   * Opens a body; the deadline holds until its headers are there. Never throws; the body does, when it breaks off or
   * `signal` ends it.
   */
  open(url: string, wanted: Omit<Wanted, 'maxBytes' | 'etag'>, signal: AbortSignal): Promise<Opened>
}

/** Limits of {@link createFetch}; each has a default. */
export interface FetchOptions {
  readonly connect?: Connect | undefined
  /** milliseconds for connecting, headers and body together; 3000 */
  readonly deadline?: number | undefined
  /** requests under way per origin; 8 */
  readonly parallel?: number | undefined
  /** requests under way or waiting per origin; 64 */
  readonly queue?: number | undefined
  readonly lookup?: Lookup | undefined
}

const FORBIDDEN = 'FORBIDDEN_ADDRESS'
const LATE = 'DEADLINE'

/**
 * A fetch that cannot be led astray: https only, canonical URLs without userinfo or fragment, no redirects, no proxies, no
 * content encodings, a cap on bytes and one deadline for everything. A host is refused before any I/O if its name says
 * enough ({@link isForbiddenHost}), else if any of its addresses is not public; the connection goes to an address that was
 * checked, so a second answer of the name server cannot move it. {@link Connect} is the only exception.
 *
 * @throws CONFIG_INVALID - the exceptions are malformed
 * @see https://www.w3.org/TR/did-core/#security-considerations
 */
export function createFetch(options: FetchOptions = {}): StreamingFetch {
  const { deadline = 3000, parallel = 8, queue = 64, lookup = systemAddresses } = options
  const exceptions = parseConnect(options.connect ?? {})
  const common = {
    connections: parallel,
    pipelining: 1,
    allowH2: false,
    headersTimeout: deadline,
    bodyTimeout: deadline,
    maxHeaderSize: 16_384,
  }
  // said explicitly, because the environment could switch certificates off
  const tls = { rejectUnauthorized: true, timeout: deadline }
  const guarded = new Agent({ ...common, connect: { ...tls, lookup: checking(lookup) } })
  const excepted = new Agent({ ...common, connect: tls })
  const pending = new Map<string, number>()

  /** Where to ask, or why not: judged before any I/O. */
  function aim(url: string): Aimed | Refused {
    const target = URL.canParse(url) ? new URL(url) : null
    if (target === null) return failed('not a URL')
    if (target.protocol !== 'https:') return failed('not https')
    const exception = exceptions.get(target.origin)
    if (exception === undefined && isForbiddenHost(target.hostname)) return { kind: 'forbidden', host: target.hostname }
    if (target.href !== url || target.username !== '' || target.password !== '' || url.includes('#')) {
      return failed('not a canonical URL without userinfo and fragment')
    }
    const agent = exception === undefined ? guarded : excepted
    return { kind: 'aimed', agent, origin: exception ?? target.origin, target }
  }

  return {
    async get(url, wanted) {
      const aimed = aim(url)
      if (aimed.kind !== 'aimed') return aimed
      const { target } = aimed
      const waiting = pending.get(target.origin) ?? 0
      if (waiting >= queue) return failed('too many requests at once')
      pending.set(target.origin, waiting + 1)
      try {
        return await within(deadline, signal => exchange(aimed, wanted, signal))
      } catch (error) {
        return refused(error, target)
      } finally {
        const left = (pending.get(target.origin) ?? 1) - 1
        if (left === 0) pending.delete(target.origin)
        else pending.set(target.origin, left)
      }
    },
    async open(url, wanted, signal) {
      const aimed = aim(url)
      if (aimed.kind !== 'aimed') return aimed
      const late = new AbortController()
      const timer = setTimeout(() => late.abort(coded(LATE, 'deadline')), deadline)
      try {
        const { statusCode, headers, body } = await ask(aimed, wanted, AbortSignal.any([signal, late.signal]), 0)
        if (statusCode === 200 && (headers['content-encoding'] ?? 'identity') === 'identity') {
          return { kind: 'open', body: body as AsyncIterable<Uint8Array> }
        }
        body.on('error', () => undefined).destroy()
        return failed(statusCode === 200 ? 'content encoding' : `status ${statusCode}`)
      } catch (error) {
        return refused(error, aimed.target)
      } finally {
        clearTimeout(timer)
      }
    },
    async close() {
      await Promise.all([guarded.destroy(), excepted.destroy()])
    },
  }
}

/** A URL that may be asked, and how it is reached. */
interface Aimed {
  readonly kind: 'aimed'
  readonly agent: Agent
  readonly origin: string
  readonly target: URL
}

/** @param bodyTimeout - milliseconds between two pieces of the body; 0: no bound; unless given, the agent's */
function ask(
  { agent, origin, target }: Aimed,
  { accept, etag, headers = {} }: Omit<Wanted, 'maxBytes'>,
  signal: AbortSignal,
  bodyTimeout?: number,
): Promise<Dispatcher.ResponseData> {
  return agent.request({
    origin,
    path: `${target.pathname}${target.search}`,
    method: 'GET',
    signal,
    headers: {
      ...headers,
      host: target.host,
      accept,
      'accept-encoding': 'identity',
      ...(etag === undefined ? {} : { 'if-none-match': etag }),
    },
    ...(bodyTimeout === undefined ? {} : { bodyTimeout }),
  })
}

async function exchange(aimed: Aimed, wanted: Wanted, signal: AbortSignal): Promise<Reply> {
  const { maxBytes, etag } = wanted
  const response = await ask(aimed, wanted, signal)
  const { statusCode, headers } = response
  const unchanged = statusCode === 304 && etag !== undefined
  if (statusCode !== 200 && !unchanged) return failed(`status ${statusCode}`)
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') return failed('content encoding')
  const body = await readBody(response.body, maxBytes)
  if (body === null) return failed(`more than ${maxBytes} bytes`)
  return unchanged ? { kind: 'unchanged' } : { kind: 'content', body, etag: textOf(headers['etag']) }
}

async function readBody(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > maxBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** The outcome of `work`, or a rejection after the deadline even if `work` does not listen to its signal. */
async function within<T>(milliseconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(coded(LATE, 'deadline')), milliseconds)
  })
  try {
    return await Promise.race([work(controller.signal), late])
  } finally {
    clearTimeout(timer)
    // whatever is still open belongs to an answer that nobody wants any more
    controller.abort()
  }
}

/** Resolves, judges all addresses and hands exactly those to the connection. One bad address condemns the name. */
function checking(lookup: Lookup): LookupFunction {
  return (host, options, callback) => {
    lookup(host).then(
      found => {
        const [first] = found
        if (first === undefined) callback(coded('ENOTFOUND', host), '')
        else if (!found.every(({ address }) => isPublicAddress(address))) callback(coded(FORBIDDEN, host), '')
        else if (options.all === true) callback(null, [...found])
        else callback(null, first.address, first.family)
      },
      (error: unknown) => callback(coded(codeOf(error), host), ''),
    )
  }
}

function systemAddresses(host: string): ReturnType<Lookup> {
  return systemLookup(host, { all: true })
}

function coded(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code })
}

function codeOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : error instanceof Error ? error.name : 'unknown'
}

function failed(why: string): { readonly kind: 'failed'; readonly why: string } {
  return { kind: 'failed', why }
}

function refused(error: unknown, { hostname }: URL): Refused {
  const code = codeOf(error)
  return code === FORBIDDEN ? { kind: 'forbidden', host: hostname } : failed(code)
}

function textOf(header: string | string[] | undefined): string | null {
  return typeof header === 'string' ? header : null
}
