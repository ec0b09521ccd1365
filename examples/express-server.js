// @ts-check
// The API of resource-server.js on Express: node examples/express-server.js
// #region readme
import express from 'express'
import { acceptChains, requireAuthority } from 'procura/express'
import { createVerifier, fileAudit, sqliteState } from 'procura/verifier'

const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'
const port = Number(process.env.API_PORT ?? 8081)

const verifier = await createVerifier({
  policy: 'data/policies/example.json',
  state: await sqliteState('data/var/express.db'),
  audit: await fileAudit('data/var/express.audit'),
  connect: { 'https://procura.example': service },
})
const app = express()
app.use(acceptChains(verifier)) // like every guard, before whatever reads bodies
const guard = requireAuthority(verifier, {
  action: 'book',
  params: (/** @type {{ body?: import('procura').JsonObject }} */ { body = {} }) => body, // all that the handler acts on
  reserve: true, // what it costs is held until the handler commits
})
app.post('/bookings/:trip', guard, async ({ originalUrl, authority }, response) => {
  await authority?.commit() // right before what cannot be undone; throws if it may not happen any more
  response.json({ booked: originalUrl, onBehalfOf: authority?.onBehalfOf, path: authority?.path })
})

app.listen(port, '127.0.0.1', () => console.log(`https://api.example listens on http://127.0.0.1:${port}`))
// #endregion
