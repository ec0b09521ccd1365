// @ts-check
// Two guarded APIs of two companies, for agent-loop.js: node examples/trip-apis.js <did of the approver>
import express from 'express'
import Fastify from 'fastify'
import * as onExpress from 'procura/express'
import * as onFastify from 'procura/fastify'
import { createVerifier, fileAudit, sqliteState } from 'procura/verifier'

const approver = process.argv[2] ?? ''
const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'
const [tripsPort, payPort] = [Number(process.env.TRIPS_PORT ?? 8082), Number(process.env.PAY_PORT ?? 8083)]
const PRICES = new Map([['SYD-1', 64_000], ['MEL-2', 32_000]]) // prettier-ignore

/** Each with a policy, a memory and a log of its own. @param {string} name @param {import('procura').JsonObject} root @param {import('procura').JsonObject} risk */
const verifierOf = async (name, root, risk) =>
  createVerifier({
    policy: { self: `https://${name}.example`, roots: [{ issuer: 'did:web:procura.example', ...root }], risk },
    state: await sqliteState(`data/var/${name}.db`),
    audit: await fileAudit(`data/var/${name}.audit`),
    connect: { 'https://procura.example': service },
  })

const TRIPS = [{ resource: 'https://trips.example/trips/**', actions: ['quote', 'book'] }]
const trips = await verifierOf('trips', { grants: TRIPS }, { quote: 'low', book: 'critical' })
const fastify = Fastify()
await fastify.register(onFastify.acceptChains(trips))
const mayQuote = onFastify.requireAuthority(trips, { action: 'quote', params: () => ({}) })
fastify.get('/trips/:trip', mayQuote, request => {
  const { trip } = /** @type {{ trip: string }} */ (request.params)
  return { trip, price: PRICES.get(trip) ?? null }
})
const mayBook = onFastify.requireAuthority(trips, {
  action: 'book',
  params: request => /** @type {import('procura').JsonObject} */ (request.body ?? {}),
})
fastify.post('/trips/:trip', mayBook, ({ url, authority }) => ({ booked: url, by: authority?.path }))
await fastify.listen({ host: '127.0.0.1', port: tripsPort })

const PAYMENTS = [{ resource: 'https://pay.example/payments', actions: ['pay'] }]
const pay = await verifierOf('pay', { grants: PAYMENTS, approvers: [approver] }, { pay: 'critical' })
const app = express()
app.use(onExpress.acceptChains(pay))
const mayPay = onExpress.requireAuthority(pay, {
  action: 'pay',
  /** what is not said is said here: whoever leaves the currency out has not signed what will happen */
  params: (/** @type {{ body?: import('procura').JsonObject }} */ { body = {} }) => ({ currency: 'AUD', ...body }),
})
app.post('/payments', mayPay, ({ body, authority }, response) => {
  response.json({ paid: /** @type {unknown} */ (body), approvedBy: authority?.approvedBy?.did })
})
app.listen(payPort, '127.0.0.1', () => console.log('https://trips.example and https://pay.example listen'))
