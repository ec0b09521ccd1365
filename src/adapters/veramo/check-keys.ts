import { isProcuraError } from '../../errors.js'
import type { SealedKeys } from '../../ports/keys.js'
import { fingerprintOf, type KeySource } from './key-source.js'
import { kidOf } from './kms.js'
import { unsealKey } from './seal.js'

const BATCH = 500

/**
 * What does not hold between a database's private keys and the keys they are sealed under: versions that are missing or
 * another database's, rows that do not open, rows that hold another key. Nothing is changed.
 *
 * @throws STORAGE_UNAVAILABLE
 */
export async function checkKeys(
  source: KeySource,
  rows: SealedKeys,
): Promise<readonly { readonly what: string; readonly advice: string }[]> {
  const restore = `restore the key file that belongs to this database`
  const versions = await rows.versions()
  if (versions.length === 0) return []
  const keys = await source.read().catch((error: unknown) => {
    if (isProcuraError(error)) return error
    throw error
  })
  if (keys === null) return [{ what: `key file ${source.name} is missing`, advice: restore }]
  if (isProcuraError(keys)) return [{ what: keys.message, advice: restore }]
  const wrong: { what: string; advice: string }[] = []
  const counts = await rows.counts()
  for (const { version, fingerprint } of versions) {
    const key = keys.get(version)
    if (key === undefined && (counts.get(version) ?? 0) === 0) continue
    if (key !== undefined && fingerprintOf(key) === fingerprint) continue
    const what = key === undefined ? `lacks version ${version}` : `has another key as version ${version}`
    wrong.push({ what: `key file ${source.name} ${what}`, advice: restore })
  }
  if (wrong.length > 0) return wrong
  const above = (versions.at(-1)?.version ?? 0) + 1
  for (let batch = await rows.olderThan(above, '', BATCH); batch.length > 0;) {
    for (const row of batch) {
      const version = keys.get(row.version)
      const key = version === undefined ? null : unsealKey(row, version)
      if (key !== null && kidOf(key) === row.kid) continue
      const advice = 'its row was changed: restore the database from a backup, or replace the key'
      wrong.push({ what: `private key ${row.kid} does not open`, advice })
    }
    batch = await rows.olderThan(above, batch.at(-1)?.kid ?? '', BATCH)
  }
  return wrong
}
