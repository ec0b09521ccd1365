import type { AddressInfo } from 'node:net'
import type { Server } from 'node:http'
import { serve } from '@hono/node-server'
import express, { type ErrorRequestHandler } from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'
import * as onExpress from '../../src/entry/express.js'
import * as onFastify from '../../src/entry/fastify.js'
import * as onHono from '../../src/entry/hono.js'
import type { Verifier } from '../../src/entry/verifier.js'
import type { JsonObject } from '../../src/json.js'

/** A route as the tests say it, the same for every framework. */
export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly action: string
  readonly params: (body: unknown) => JsonObject
  readonly reserve?: boolean
  readonly handle: (authority: onFastify.Allowed | undefined, body: unknown) => unknown
}

/** An API that listens. */
export interface Api {
  readonly address: string
  /** errors that reached the framework's own handling */
  readonly errors: unknown[]
  close(): Promise<void>
}

/** Serves routes behind the guard, with a limit of 10 000 bytes for bodies; takes chains. */
export type Framework = (verifier: Verifier, routes: readonly Route[]) => Promise<Api>

const bodyLimit = 10_000

const fastify: Framework = async (verifier, routes) => {
  const app = Fastify({ http: { maxHeaderSize: 65_536 }, bodyLimit })
  const errors: unknown[] = []
  app.addHook('onError', (_request, _reply, error, done) => {
    errors.push(error)
    done()
  })
  await app.register(onFastify.acceptChains(verifier))
  for (const { method, path: url, action, params, reserve = false, handle } of routes) {
    const guard = onFastify.requireAuthority(verifier, { action, params: ({ body }) => params(body), reserve })
    app.route({ method, url, ...guard, handler: ({ authority, body }) => handle(authority, body) })
  }
  return { address: await app.listen({ host: '127.0.0.1', port: 0 }), errors, close: () => app.close() }
}

const onExpress5: Framework = async (verifier, routes) => {
  const app = express()
  const errors: unknown[] = []
  app.use(onExpress.acceptChains(verifier))
  for (const { method, path, action, params, reserve = false, handle } of routes) {
    const options = { action, params: ({ body }: express.Request) => params(body), reserve, bodyLimit }
    app[method === 'GET' ? 'get' : 'post'](
      path,
      onExpress.requireAuthority(verifier, options),
      async (request, response) => {
        response.json(await handle(request.authority, request.body))
      },
    )
  }
  const told: ErrorRequestHandler = (error, _request, _response, next) => {
    errors.push(error)
    next(error)
  }
  app.use(told)
  app.set('env', 'test') // it prints errors otherwise
  return listening(app.listen(0, '127.0.0.1'), errors)
}

const hono: Framework = async (verifier, routes) => {
  const app = new Hono<onHono.GuardedEnv>()
  const errors: unknown[] = []
  app.use(onHono.acceptChains(verifier))
  for (const { method, path, action, params, reserve = false, handle } of routes) {
    const options = {
      action,
      params: (c: { get: (name: 'body') => unknown }) => params(c.get('body')),
      reserve,
      bodyLimit,
    }
    app.on(method, path, onHono.requireAuthority(verifier, options), async c =>
      c.json((await handle(c.get('authority'), c.get('body'))) as object),
    )
  }
  app.onError((error, c) => {
    errors.push(error)
    return 'getResponse' in error ? error.getResponse() : c.text('Internal Server Error', 500)
  })
  return listening(serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server, errors)
}

/** The server, once it listens. */
export function listening(server: Server, errors: unknown[] = []): Promise<Api> {
  const close = (): Promise<void> =>
    new Promise(resolve => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  const opened = (): Api => {
    const { port } = server.address() as AddressInfo
    return { address: `http://127.0.0.1:${port}`, errors, close }
  }
  return new Promise((resolve, reject) => {
    if (server.listening) {
      resolve(opened())
      return
    }
    server.once('listening', () => resolve(opened())).once('error', reject)
  })
}

export const FRAMEWORKS: readonly (readonly [string, Framework])[] = [
  ['Fastify', fastify],
  ['Express', onExpress5],
  ['Hono', hono],
]
