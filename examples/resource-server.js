// @ts-check
// An API that lets agents book, if their authority allows it: node examples/resource-server.js
// #region readme
import Fastify from 'fastify'
import { acceptChains, requireAuthority } from 'procura/fastify'
import { createVerifier, fileAudit, sqliteState } from 'procura/verifier'

const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'
const port = Number(process.env.API_PORT ?? 8081)

const verifier = await createVerifier({
  policy: 'data/policies/example.json', // whose roots count here, for what, and how fresh their status must be
  state: await sqliteState('data/var/api.db'), // what was used and spent; survives a restart
  audit: await fileAudit('data/var/api.audit'), // a decision that cannot be recorded is a no
  connect: { 'https://procura.example': service },
})
const app = Fastify()
await app.register(acceptChains(verifier)) // a long chain is sent once, then named by its digest
const guard = requireAuthority(verifier, {
  action: 'book',
  params: request => /** @type {import('procura').JsonObject} */ (request.body ?? {}), // all that the handler acts on
})
app.post('/bookings/:trip', guard, ({ url, authority }) => ({
  booked: url,
  onBehalfOf: authority?.onBehalfOf,
  path: authority?.path, // who received the authority, root → leaf
}))

console.log(`https://api.example listens on ${await app.listen({ host: '127.0.0.1', port })}`)
// #endregion
