// One of several verifiers that share one database file: fork('verifier-child.mjs', [compiled, file, policy, fatal])
// Calls come by IPC. What is put on record last before the answer tells when it is `fatal`: then the process dies.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [compiled = '', file = '', policy = '', fatal = ''] = process.argv.slice(2)
const load = (/** @type {string} */ path) => import(pathToFileURL(join(compiled, path)).href)
const { openStore } = await load('src/adapters/store/store.js')
const { storeState } = await load('src/adapters/store/state.js')
const { systemIds } = await load('src/adapters/system.js')
const { createVerifier } = await load('src/verifier/verifier.js')
const { policyOf, world } = await load('test/mint.js')

let now = 0
const clock = { now: () => now }
const store = await openStore(`sqlite://${file}`)
const audit = {
  record: async (/** @type {{ type: string }} */ { type }) =>
    void (type === fatal && process.kill(process.pid, 'SIGKILL')),
}
const ports = await world({ clock, ids: systemIds, audit, ...storeState(store, clock, systemIds) })
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
process.on('disconnect', () => void store.close())
process.send?.('ready')
