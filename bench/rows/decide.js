// `decide` by the verifier that `procura/verifier` opens, with all of profile §6: the status list is served by this
// process and kept by the verifier, replay is in memory, records go nowhere. Every presentation is new; whether its chain
// is, is the difference of the rows.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { signJws } from 'procura'
import { createVerifier, singleProcessState } from 'procura/verifier'
import { at, chainOf, PEOPLE, person, present, RECEIVED, ROOT, SELF, STATUS, statusList } from '../inputs.js'
import { row, several } from './row.js'

const DEPTHS = [1, 3, 5, 8]

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  const verifier = await verifierOf()
  /** @param {string} presentation */
  const decide = async presentation => {
    const decision = await verifier.decide(presentation, RECEIVED)
    if (!decision.allow) throw new Error(`${decision.code}: ${decision.detail}`)
  }
  /** @type {Record<string, import('./row.js').Row>} */
  const rows = {}
  for (const depth of DEPTHS) {
    const known = await chainOf(STATUS, depth)
    await decide(await present(known))
    rows[`decide-cold-${depth}`] = row(
      count => several(count, async () => present(await chainOf(STATUS, depth))),
      decide,
    )
    rows[`decide-known-${depth}`] = row(count => several(count, () => present(known)), decide)
  }
  rows['decide-cold-3-strangers'] = row(
    count =>
      several(count, async () => {
        const people = [at(PEOPLE, 0), person(), person(), person()]
        return present(await chainOf(STATUS, 3, people), people[3])
      }),
    decide,
  )
  return rows
}

async function verifierOf() {
  // signed at each question, because a run outlasts the age that the policy allows a list
  const server = createServer((_, response) => {
    void signJws(statusList(), 'vc+jwt', at(PEOPLE, 0)).then(list =>
      response.setHeader('content-type', 'application/vc+jwt').end(list),
    )
  })
  server.unref().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  const verifier = await createVerifier({
    policy: { self: SELF, maxChain: 8, roots: [ROOT] },
    state: singleProcessState(),
    audit: { record: () => Promise.resolve() },
    connect: { [new URL(STATUS.entry.statusListCredential).origin]: `http://127.0.0.1:${address.port}` },
  })
  // state in memory takes nothing that was made in the second it began
  await setTimeout(1100)
  return verifier
}
