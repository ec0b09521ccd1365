// Reads status lists as anybody may, behind the proxy and from each process, by a clock of its own, and writes down what
// it saw: fork('observer.mjs', [journal, ...addresses]). List URLs come by IPC.
import { setTimeout } from 'node:timers/promises'
import { openJournal } from './journal.mjs'
import { instant } from './machine.mjs'

const [path = '', ...addresses] = process.argv.slice(2)
const tell = openJournal(path)
/** @type {Set<string>} */
const urls = new Set()
let isOver = false
process.on('message', message => {
  if (message === 'end') isOver = true
  else urls.add(String(message))
})
process.once('disconnect', () => process.exit())

/** @param {string} address @param {string} url */
async function look(address, url) {
  const sent = instant()
  const response = await fetch(`${address}${new URL(url).pathname}`, { signal: AbortSignal.timeout(30_000) }).catch(
    () => null,
  )
  const token = response?.ok === true ? await response.text().catch(() => null) : null
  if (token === null) return null
  const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  tell({ what: 'list', url, from: address, sent, done: instant(), version: credentialSubject.version })
  return token
}

await Promise.all(
  addresses.map(async address => {
    while (!isOver) {
      const all = [...urls]
      const url = all[Math.floor(Math.random() * all.length)]
      if (url !== undefined) await look(address, url)
      await setTimeout(150 + Math.random() * 150)
    }
  }),
)
// as they stand in the end
for (const url of urls) tell({ what: 'final', url, token: await look(addresses[0] ?? '', url) })
process.disconnect()
