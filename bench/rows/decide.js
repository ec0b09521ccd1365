// `decide` by the verifier that `createVerifier` makes, with all of profile §6 and memory for what it asks: keys, the
// status list (signed once), replay. Every presentation is new; whether its chain is, is the difference of the rows.
import { setTimeout } from 'node:timers/promises'
import { createVerifier, parsePolicy, signJws } from 'procura'
import { singleProcessState } from 'procura/verifier'
import { openNetwork } from '../../dist/entry/parts.js'
import { systemClock, systemIds } from '../../dist/adapters/system.js'
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
  const snapshot = { token: await signJws(statusList(), 'vc+jwt', at(PEOPLE, 0)) }
  const verifier = createVerifier(parsePolicy({ self: SELF, maxChain: 8, roots: [ROOT] }), {
    ...{ clock: systemClock, ids: systemIds, keys: openNetwork({}).keys, ...singleProcessState() },
    statusLists: { read: () => Promise.resolve({ snapshot, age: 0 }) },
    streams: { isHealthy: () => false },
    audit: { record: () => Promise.resolve() },
  })
  // state in memory takes nothing that was made in the second it began
  await setTimeout(1100)
  return verifier
}
