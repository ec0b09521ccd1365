import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a host in the middle makes of each token: those that it passes on instead. */
export type Change = (token: string) => readonly string[]

/** A host in the middle. */
export interface Relay {
  readonly address: string
  /** what it does from now on */
  change: Change
  /** `null`: answers 404 to everything; else passes on */
  isOpen: boolean
  /** passes on pages, and no stream */
  isPullOnly: boolean
  /** paths asked for, with `Last-Event-ID` */
  readonly asked: string[]
  /** breaks every connection */
  cut(): void
  close(): Promise<void>
}

const honest: Change = token => [token]

/** Stands between a feed and its reader, over real connections. */
export async function openRelay(upstream: () => string): Promise<Relay> {
  const open = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    const { 'last-event-id': after, accept = '', authorization } = request.headers
    relay.asked.push(`${request.url} ${String(after ?? '')}`.trim())
    const isStream = accept.includes('text/event-stream')
    if (!relay.isOpen || (isStream && relay.isPullOnly)) {
      response.writeHead(404).end()
      return
    }
    open.add(response)
    const gone = new AbortController()
    response.once('close', () => {
      open.delete(response)
      gone.abort()
    })
    const headers = {
      accept,
      ...(after === undefined ? {} : { 'last-event-id': String(after) }),
      ...(authorization === undefined ? {} : { authorization }),
    }
    fetch(`${upstream()}${request.url}`, { headers, signal: gone.signal })
      .then(answer => (isStream ? passStream(answer, response) : passPage(answer, response)))
      .catch(() => response.destroy())
  })

  async function passStream(answer: Response, response: ServerResponse): Promise<void> {
    response.writeHead(answer.status, { 'content-type': 'text/event-stream' })
    let rest = ''
    for await (const chunk of answer.body!) {
      const messages = (rest + Buffer.from(chunk).toString()).split('\n\n')
      rest = messages.pop()!
      for (const message of messages) {
        const [, head, token] = /^((?:id: \d+\n)?)data: (.*)$/s.exec(message)!
        for (const one of relay.change(token!)) response.write(`${head}data: ${one}\n\n`)
      }
    }
    response.end()
  }

  async function passPage(answer: Response, response: ServerResponse): Promise<void> {
    const text = await answer.text()
    if (answer.ok && /^\{"sets"/.test(text)) {
      const page = JSON.parse(text) as { sets: string[]; heartbeat: string }
      const sets = page.sets.flatMap(token => relay.change(token))
      const [heartbeat = page.heartbeat] = relay.change(page.heartbeat)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ sets, heartbeat }))
    } else response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(text)
  }

  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const relay: Relay = {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    change: honest,
    isOpen: true,
    isPullOnly: false,
    asked: [],
    cut() {
      for (const response of open) response.destroy()
    },
    async close() {
      relay.cut()
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
  return relay
}

export interface SetClaims {
  readonly seq?: number
  readonly last?: number
  readonly iat: number
}

/** Claims of a token, unverified. */
export function claimsOf(token: string): SetClaims {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as SetClaims
}

/** True for a heartbeat. */
export function isHeartbeat(token: string): boolean {
  return claimsOf(token).seq === undefined
}
