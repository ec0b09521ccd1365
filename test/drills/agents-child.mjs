// Makes agents, registers them and grants to them as fast as it can, and says so once each is acknowledged.
// Started and killed by agents.mjs: node agents-child.mjs <agent file> <operator's wallet> <agents' wallet> <key file>
import { writeSync } from 'node:fs'
import { openIssuer } from '../../dist/entry/issuer.js'
import { openService } from '../../dist/entry/service.js'
import { openWallet } from '../../dist/entry/wallet.js'

const [config = '', operator = '', storage = '', keyFile = ''] = process.argv.slice(2)
const AT_ONCE = 8
const service = await openService({ config, environment: {} })
const connect = { [service.config.origin]: service.address }
const issuer = await openIssuer({ service: service.config.origin, storage: operator, connect })
const wallet = await openWallet({ storage, keyFile, roots: [service.did], service: service.config.origin, connect })
const authority = {
  audience: ['https://api.example'],
  grants: [{ resource: 'https://api.example/**', actions: ['read'] }],
}
/** Written at once: what stands in a buffer when the process is killed was never acknowledged. @param {object} done */
const acknowledge = done => writeSync(1, `${JSON.stringify(done)}\n`)

await Promise.all(
  Array.from({ length: AT_ONCE }, async (_, worker) => {
    for (let n = 0; ; n += 1) {
      const name = `agent ${process.pid} ${worker} ${n}`
      const { did } = await wallet.createAgent({ name })
      acknowledge({ made: did, name })
      const agent = { operator: service.did, autonomy: 'L1', risk: 'low' }
      await issuer.register({ kind: 'agent', did, name, agent })
      acknowledge({ registered: did })
      const { digest } = await issuer.grant({ to: did, ttl: 600, authority })
      acknowledge({ granted: digest, to: did })
    }
  }),
)
