// `POST /v1/verify` for a chain of three that no verifier has seen, the token used up in the database and the decision
// on record before the answer; beside Fastify that verifies the same four signatures and does nothing else.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configOf, leasedStatus, load, start } from '../http/servers.js'
import { chainOf, STATUS, whole } from '../inputs.js'
import { several } from './row.js'

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
  /** @param {number} processes @returns {Promise<import('./row.js').Row>} */
  const own = async processes => {
    const place = join(folder, String(processes))
    mkdirSync(place)
    const server = await start(await configOf(place, 'service', `sqlite://${join(place, 'service.db')}`, processes))
    return under([server], await leasedStatus(place, server.address))
  }
  /** @param {number} processes */
  const bare = async processes => under(await several(processes, () => start('bare')), STATUS)
  const [own1, own2, bare1, bare2] = await Promise.all([own(1), own(2), bare(1), bare(2)])
  // after the servers, which end with this process too
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return {
    'http-verify-1proc': own1,
    'http-verify-2proc': own2,
    'http-bare-1proc': bare1,
    'http-bare-2proc': bare2,
  }
}

/** A row of requests to these. @param {readonly import('../http/servers.js').Server[]} servers @param {import('../inputs.js').Status} status @returns {import('./row.js').Row} */
const under = (servers, status) => async count => {
  const bodies = await several(count, async () => whole(await chainOf(status)))
  const { seconds } = await load(servers, bodies)
  return { seconds, onTheClock: seconds }
}
