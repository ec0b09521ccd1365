// One verifier of bench/revocation.js: a process with a policy, a state and an audit log of its own, and with an agent
// that calls it again and again until it is refused.
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { createVerifier, fileAudit, sqliteState } from 'procura/verifier'
import { openWallet } from 'procura/wallet'

/**
 * @typedef {object} Start
 * @property {string} self - origin of the resource server
 * @property {string} folder
 * @property {string} issuer - origin of the service
 * @property {import('procura').Did} root
 * @property {string} feed - URL of the feed
 * @property {number} statusAge - seconds
 * @property {Record<string, string>} connect
 *
 * @typedef {{ readonly chain: readonly string[], readonly digest: string }} Round
 * @typedef {{ say: 'caller', did: import('procura').Did } | { say: 'feed', healthy: boolean } | { say: 'allowed' }
 *   | { say: 'denied', at: string, code: string, decisions: number }} Said
 */

/** Milliseconds between two calls. */
const PAUSE = 25

/** @type {unknown} */
const start = JSON.parse(process.argv[2] ?? '{}')
const { self, folder, issuer, root, feed, statusAge, connect } = /** @type {Start} */ (start)
const name = new URL(self).hostname
const state = await sqliteState(join(folder, `${name}.db`))
const audit = await fileAudit(join(folder, `${name}.audit`))
const verifier = await createVerifier({
  policy: {
    self,
    roots: [{ issuer: root, grants: [{ resource: `${self}/**`, actions: ['read'] }] }],
    feeds: [{ issuer: root, url: feed }],
    risk: { read: 'medium' },
    maxStatusAge: { low: 300, medium: statusAge, high: 0, critical: 0 },
  },
  state,
  audit,
  connect,
})
const wallet = await openWallet({ storage: 'sqlite::memory:', roots: [root], service: issuer, connect })
const caller = await wallet.createAgent({ name: 'caller' })
const url = `${self}/notes/1`
const request = { method: 'GET', url, bodyDigest: null, action: 'read', resource: url, params: {} }

process.on('message', (/** @type {Round} */ round) => {
  void run(round)
})
// whoever started this one has ended
process.once('disconnect', () => process.exit())
say({ say: 'caller', did: caller.did })

let wasHealthy = false
for (;;) {
  const isHealthy = verifier.feeds().every(one => one.healthy)
  if (isHealthy !== wasHealthy) say({ say: 'feed', healthy: isHealthy })
  wasHealthy = isHealthy
  await setTimeout(20)
}

/** Calls until the answer is no. @param {Round} round */
async function run({ chain, digest }) {
  await caller.receive(chain)
  for (let decisions = 1; ; decisions += 1) {
    const presentation = await caller.present({ ...request, audience: self, chain: digest })
    const { allow, code } = await verifier.decide(presentation, request)
    if (!allow) {
      say({ say: 'denied', at: String(process.hrtime.bigint()), code, decisions })
      return
    }
    if (decisions === 1) say({ say: 'allowed' })
    await setTimeout(PAUSE)
  }
}

/** @param {Said} said */
function say(said) {
  process.send?.(said)
}
