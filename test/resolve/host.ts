import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Socket, type AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Clock } from '../../src/ports/world.js'

/** A host on loopback that does as it is told. */
export interface Host {
  /** what `connect` points to */
  readonly address: string
  readonly requests: IncomingMessage[]
  answer(handler: (request: IncomingMessage, response: ServerResponse) => void): void
  stop(): Promise<void>
}

export async function startHost(): Promise<Host> {
  const requests: IncomingMessage[] = []
  let answer = (_: IncomingMessage, response: ServerResponse): void => void response.writeHead(500).end()
  const server = createServer((request, response) => {
    requests.push(request)
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const stop = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  onTestFinished(stop)
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: handler => void (answer = handler),
    stop,
  }
}

/** A clock that stands still until it is moved. */
export interface TestClock extends Clock {
  seconds: number
}

export function testClock(seconds = 1_795_255_500): TestClock {
  return {
    seconds,
    now() {
      return this.seconds
    },
  }
}

/** Every address that this process tries to connect to until the test ends. */
export function watchAttempts(): readonly string[] {
  const attempts: string[] = []
  const original = Object.getOwnPropertyDescriptor(Socket.prototype, 'connect')!
  const connect = original.value as (this: Socket, ...args: unknown[]) => Socket
  Socket.prototype.connect = function (this: Socket, ...args: unknown[]) {
    this.on('connectionAttempt', (ip: string) => attempts.push(ip))
    return connect.apply(this, args)
  }
  onTestFinished(() => void Object.defineProperty(Socket.prototype, 'connect', original))
  return attempts
}

/** The code of what was thrown, or `null` if nothing was. */
export async function codeOf(work: () => unknown): Promise<string | null> {
  try {
    await work()
    return null
  } catch (error) {
    return (error as { code: string }).code
  }
}
