// @ts-check
// A planner with a wallet of its own, and a booker it hands less to:
//   node examples/wallet.js                 prints the planner's DID
//   node examples/wallet.js <credential>    receives it, delegates, calls the API
// #region readme
import { openWallet } from 'procura/wallet'

const credential = process.argv[2]
const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'
const api = process.env.API_ADDRESS ?? 'http://127.0.0.1:8081'

const wallet = await openWallet({
  storage: 'sqlite://data/var/wallet.db', // made with its key file at the first start; keys never leave it
  roots: ['did:web:procura.example'], // whose credentials it takes
  connect: { 'https://procura.example': service, 'https://api.example': api },
})
const open = (/** @type {string} */ name) => wallet.agent(name).catch(() => wallet.createAgent({ name }))
const planner = await open('planner')
if (credential === undefined) {
  console.log(planner.did)
} else {
  const booker = await open('booker')
  await planner.receive(credential)
  const trip = 'https://api.example/bookings/SYD-1'
  const { chain } = await planner.delegate({
    to: booker.did,
    grants: [{ resource: trip, actions: ['book'], args: { amount: { op: 'range', min: 0, max: 50_000, req: true } } }],
    ttl: 300, // signed here; nobody is asked
  })
  await booker.receive(chain)
  const body = { amount: 32_000 }
  const authority = { action: 'book', params: body } // what the server will derive on its own
  const answer = await booker.fetch(trip, { method: 'POST', body, authority })
  console.log(answer.status, await answer.json())
}
await wallet.close()
// #endregion
