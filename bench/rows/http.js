// `POST /v1/verify` for a chain of three that no verifier has seen, the token used up in the database and the decision
// on record before the answer; beside Fastify that verifies the same four signatures and does nothing else.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configOf, leasedStatus, load, start } from '../http/servers.js'
import { chainOf, whole } from '../inputs.js'
import { several } from './row.js'

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const storage = `sqlite://${join(folder, 'service.db')}`
  // the first makes the database
  const first = await start(await configOf(folder, '1', storage))
  const status = await leasedStatus(folder, first.address)
  const own = [first, await start(await configOf(folder, '2', storage))]
  const bare = await Promise.all([start('bare'), start('bare')])
  /** @type {(servers: import('../http/servers.js').Server[]) => import('./row.js').Row} */
  const row = servers => async count => {
    const bodies = await several(count, async () => whole(await chainOf(status)))
    const { seconds } = await load(servers, bodies)
    return { seconds, onTheClock: seconds }
  }
  return {
    'http-verify-1proc': row(own.slice(0, 1)),
    'http-verify-2proc': row(own),
    'http-bare-1proc': row(bare.slice(0, 1)),
    'http-bare-2proc': row(bare),
  }
}
