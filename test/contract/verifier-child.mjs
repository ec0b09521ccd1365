// One of several verifiers that share a database, and a Redis unless its URL is empty:
// fork('verifier-child.mjs', [compiled, url, policy, fatal, redis])
// Calls come by IPC. What is put on record last before the answer tells when it is `fatal`: then the process dies;
// `taken` is right before the commit of what a decision charges.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [compiled = '', url = '', policy = '', fatal = '', redis = ''] = process.argv.slice(2)
const load = (/** @type {string} */ path) => import(pathToFileURL(join(compiled, path)).href)
const { openStore } = await load('src/adapters/store/store.js')
const { openState } = await load('src/entry/state.js')
const { systemIds } = await load('src/adapters/system.js')
const { createVerifier } = await load('src/verifier/verifier.js')
const { policyOf, world } = await load('test/mint.js')

let now = Math.floor(Date.now() / 1000)
const clock = { now: () => now }
const opened = await openStore(url)
const die = () => process.kill(process.pid, 'SIGKILL')
const store = {
  ...opened,
  transaction: (/** @type {() => Promise<unknown>} */ work) => {
    const isNested = opened.isInTransaction()
    return opened.transaction(async () => {
      const result = await work()
      if (fatal === 'taken' && !isNested) die()
      return result
    })
  },
}
const shared = await openState(store, redis === '' ? undefined : redis, clock, systemIds)
const audit = {
  record: async (/** @type {{ type: string }} */ { type }) => void (type === fatal && die()),
}
const ports = await world({ clock, ids: systemIds, audit, ...shared.state })
const verifier = createVerifier(policyOf(JSON.parse(policy)), ports)

process.on(
  'message',
  async (/** @type {{ n: number, at: number, calls: [string, ...unknown[]][], times: number }} */ message) => {
    const { n, at, calls, times } = message
    now = at
    const all = Array.from({ length: times }, () => calls).flat()
    const answers = await Promise.all(all.map(([ask, ...given]) => verifier[ask](...given)))
    process.send?.({ n, answers: answers.map(({ allow, code, decisionId }) => ({ allow, code, decisionId })) })
  },
)
process.on('disconnect', async () => {
  await shared.close()
  await opened.close()
})
process.send?.('ready')
