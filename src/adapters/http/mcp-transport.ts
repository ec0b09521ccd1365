import { randomUUID } from 'node:crypto'
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { Transport, TransportSendOptions } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { JSONRPCMessage, MessageExtraInfo, RequestId } from '@modelcontextprotocol/sdk/types.js'
import { isObject, member, without, type JsonObject } from '../../json.js'
import { APPROVAL_META, PRESENTATION_META } from '../../presentation/tool-call.js'
import type { Allowed } from './allowed.js'
import type { Verdict } from './guard.js'

/** A request as it came. */
export interface Request {
  readonly params: JsonObject
}

/** What a judge may do at the door of a server. */
export interface Door {
  /** Asks the server itself, as a client would. @returns the result; of an error, nothing */
  ask(method: string, params: JsonObject): Promise<JsonObject>
  /** Tells the server's own error handler. @returns the same */
  report<E extends Error>(error: E): E
}

/** Judges one `tools/call`. */
export type Judge = (request: Request, door: Door) => Promise<Verdict>
/** What a tool is told of who called it. */
export type Introduce = (authority: Allowed, scope: string, before?: AuthInfo) => AuthInfo

/** A transport through which `tools/call` passes only if a judge allows it. Everything else passes as it is. */
export class GuardedTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: NonNullable<Transport['onmessage']>
  readonly #inner: Transport
  readonly #judge: Judge
  readonly #introduce: Introduce
  /** calls being judged; who is not in here any more was cancelled, or its client is gone */
  readonly #pending = new Map<RequestId, symbol>()
  /** questions of our own, under names that nobody can guess */
  readonly #asked = new Map<RequestId, (result: JsonObject) => void>()

  constructor(inner: Transport, judge: Judge, introduce: Introduce) {
    this.#inner = inner
    this.#judge = judge
    this.#introduce = introduce
  }

  get sessionId(): string | undefined {
    return this.#inner.sessionId
  }

  async start(): Promise<void> {
    this.#inner.onerror = error => this.onerror?.(error)
    this.#inner.onmessage = (message, extra) => this.#receive(message, extra)
    this.#inner.onclose = () => {
      this.#pending.clear()
      for (const settle of this.#asked.values()) settle({})
      this.onclose?.()
    }
    await this.#inner.start()
  }

  async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const settle = 'id' in message && !('method' in message) ? this.#asked.get(message.id ?? '') : undefined
    if (settle === undefined) return this.#inner.send(message, options)
    settle('result' in message ? (message.result as JsonObject) : {})
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #receive(message: JSONRPCMessage, extra: MessageExtraInfo | undefined): void {
    const { method, id, params = {} } = message as { method?: string; id?: RequestId; params?: JsonObject }
    if (method === 'notifications/cancelled') this.#pending.delete(member(params, 'requestId') as RequestId)
    if (method !== 'tools/call') this.onmessage?.(message, extra)
    // a call that wants no answer has no caller that could be told no
    else if (id !== undefined) void this.#call(message, id, params, extra)
  }

  async #call(message: JSONRPCMessage, id: RequestId, params: JsonObject, extra?: MessageExtraInfo): Promise<void> {
    try {
      const turn = Symbol()
      this.#pending.set(id, turn)
      const verdict = await this.#judge({ params }, this.#door(extra))
      if (this.#pending.get(id) !== turn) return
      this.#pending.delete(id)
      if (verdict.allow) {
        const authInfo = this.#introduce(
          verdict.authority,
          `mcp:tools/call:${params['name'] as string}`,
          extra?.authInfo,
        )
        this.onmessage?.(withoutCredentials(message, params), { ...extra, authInfo })
      } else {
        const { problem, headers } = verdict
        const error = { code: problem.status, message: problem.title, data: { ...problem, ...headers } }
        await this.#inner.send({ jsonrpc: '2.0', id, error })
      }
    } catch (thrown) {
      this.onerror?.(thrown instanceof Error ? thrown : new Error('a call could not be judged', { cause: thrown }))
    }
  }

  #door(extra: MessageExtraInfo | undefined): Door {
    return {
      ask: async (method, params) => {
        const id = randomUUID()
        const result = new Promise<JsonObject>(resolve => this.#asked.set(id, resolve))
        this.onmessage?.({ jsonrpc: '2.0', id, method, params: { ...params } }, extra)
        return result.finally(() => this.#asked.delete(id))
      },
      report: error => {
        this.onerror?.(error)
        return error
      },
    }
  }
}

/** A tool has no use for them, and what logs its requests none either. */
function withoutCredentials(message: JSONRPCMessage, params: JsonObject): JSONRPCMessage {
  const meta = member(params, '_meta')
  if (!isObject(meta)) return message
  const _meta = without(meta, PRESENTATION_META, APPROVAL_META)
  return { ...message, params: { ...params, _meta } }
}
