// A grant as the service's issuer makes it, on a SQLite file: two status indexes out of leased ones, the credential
// signed with a key of the vault, its row stored, everything in one transaction. Record keeping is not in it.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createIssuer } from 'procura'
import { nextSecond, systemClock, systemIds } from '../../dist/adapters/system.js'
import { readAgentFile } from '../../dist/adapters/veramo/agent-file.js'
import { issuingKeys } from '../../dist/adapters/veramo/replace-key.js'
import { AGENT_FILE, openHome, openNetwork } from '../../dist/entry/parts.js'
import { at, GRANTS, PEOPLE, SELF } from '../inputs.js'
import { waiting } from './row.js'

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const network = openNetwork({})
  const { store, vault } = await openHome({
    ...{ file: await readAgentFile(AGENT_FILE, {}), environment: {}, network },
    ...{ storage: `sqlite://${join(folder, 'issuer.db')}`, keyFile: join(folder, 'issuer.key') },
  })
  const did = 'did:web:id.bench.example'
  await vault.createWebDid(did, 'issuer')
  const issuer = createIssuer(
    {
      keys: issuingKeys(did, { vault, signingKeys: store.signingKeys }),
      statusBase: 'https://id.bench.example/v1/status/',
    },
    {
      ...{ ...store, clock: systemClock, ids: systemIds, keys: network.keys, nextSecond },
      transaction: work => store.transaction(work),
      audit: { record: () => Promise.resolve() },
      marker: { reached: 0, raise: () => Promise.resolve() },
    },
  )
  const { did: to, publicKey: key } = at(PEOPLE, 1)
  const grants = /** @type {import('procura').AuthorityDraft['grants']} */ (/** @type {unknown} */ (GRANTS))
  return {
    'grant-sqlite': waiting(() => issuer.grant({ to, key, authority: { audience: [SELF], grants }, ttl: 3600 })),
  }
}
