// @ts-check
// Grants a root capability with the operator's wallet, or takes one back:
//   node examples/issuer.js <did>              prints the credential
//   node examples/issuer.js revoke <digest>    ends it, and everything delegated under it
// #region readme
import { openIssuer } from 'procura/issuer'

const [first = '', digest = ''] = process.argv.slice(2)
const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'

const issuer = await openIssuer({
  service: 'https://procura.example',
  storage: 'sqlite://data/var/operator.db', // made by the first `npm start`
  connect: { 'https://procura.example': service }, // development only: where that name is on this machine
})
if (first === 'revoke') {
  console.log(await issuer.revoke(digest))
} else {
  const did = /** @type {import('procura').Did} */ (first)
  if ((await issuer.subject(did)) === null) {
    const agent = { operator: 'did:web:procura.example', autonomy: 'L2', risk: 'low' }
    await issuer.register({ kind: 'agent', did, name: 'planner', agent }) // who is not registered gets nothing
  }
  const amount = /** @type {const} */ ({ op: 'range', min: 0, max: 200_000, req: true })
  const root = await issuer.grant({
    to: did,
    ttl: 3600,
    authority: {
      audience: ['https://api.example'],
      onBehalfOf: 'did:web:procura.example',
      more: 1, // it may be handed on once
      grants: [{ resource: 'https://api.example/**', actions: ['book', 'mcp:tools/call:book'], args: { amount } }],
    },
  })
  console.error(`granted ${root.digest}`)
  console.log(root.credential)
}
await issuer.close()
// #endregion
