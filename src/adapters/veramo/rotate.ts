import type { SealedKeys } from '../../ports/keys.js'
import { keyFileRefusal } from './key-file.js'
import { KeyRing, NEWS, takeUp } from './key-ring.js'
import { drawKey, MAX_KEYS, type KeySource } from './key-source.js'
import { sealKey, unsealKey } from './seal.js'

/** How far it is: keys under the newest version, of all. */
export type Progress = (done: number, total: number) => void

/** What a rotation came to. */
export interface Rotated {
  /** the newest version; every key is sealed under it */
  readonly version: number
  /** keys that were sealed anew by this run */
  readonly resealed: number
  /** versions that were dropped */
  readonly dropped: readonly number[]
}

/** Keys that are sealed anew in one transaction: short enough for a service beside it, long enough for one fsync. */
const BATCH = 100

/**
 * Makes the next version of the key-encryption key and seals every private key anew under it, while others use them.
 * What was interrupted is gone on with: a version that not every key is sealed under yet, or that the source has and the
 * database does not know, is taken up before another is made.
 *
 * @param drop - then deletes the older versions, from the database and from the source
 * @throws KEY_FILE - the source cannot be written here and has no newer version; a row does not open; STORAGE_UNAVAILABLE
 */
export async function rotateKeys(
  source: KeySource,
  rows: SealedKeys,
  { drop, progress }: { readonly drop: boolean; readonly progress: Progress },
): Promise<Rotated> {
  const ring = new KeyRing(source, rows)
  await ring.read()
  const version = await nextVersion(source, rows, ring)
  let resealed = await resealAll(version, ring, rows, progress)
  if (!drop) return { version, resealed, dropped: [] }
  // who made keys under the version before has heard of the new one by then
  await new Promise(resolve => setTimeout(resolve, 2 * NEWS))
  resealed += await resealAll(version, ring, rows, progress)
  return { version, resealed, dropped: await dropBefore(version, source, rows) }
}

async function nextVersion(source: KeySource, rows: SealedKeys, ring: KeyRing): Promise<number> {
  return rows.alone(async () => {
    const keys = await ring.read()
    const newest = (await rows.versions()).at(-1)?.version ?? 0
    const [offered = 0] = [...keys.keys()].reverse()
    if (offered > newest) await takeUp(keys, rows)
    if (offered > newest || [...(await rows.counts()).keys()].some(version => version !== newest)) {
      return Math.max(offered, newest)
    }
    const next = newest + 1
    if (source.write === null) {
      throw keyFileRefusal(
        source.name,
        `has no version ${next}: add a line "${next} " and 64 random digits, then retry`,
      )
    }
    if (keys.size >= MAX_KEYS) throw keyFileRefusal(source.name, `has ${keys.size} versions; drop the older ones first`)
    const grown = new Map([...keys, [next, drawKey()]])
    await takeUp(grown, rows)
    // before the commit: a version that the file has and the database does not is taken up by the next run
    await source.write(grown, false)
    return next
  })
}

async function resealAll(version: number, ring: KeyRing, rows: SealedKeys, progress: Progress): Promise<number> {
  const newest = { version, key: await ring.key(version) }
  const counts = await rows.counts()
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0)
  const stuck: string[] = []
  let done = counts.get(version) ?? 0
  let resealed = 0
  for (let batch = await rows.olderThan(version, '', BATCH); batch.length > 0;) {
    progress(done, total)
    const results = await rows.alone(async () => {
      const each: ('sealed' | 'stuck' | 'changed')[] = []
      for (const row of batch) {
        const key = unsealKey(row, await ring.key(row.version))
        if (key === null) each.push('stuck')
        else each.push((await rows.replace(row, sealKey(row.kid, key, newest))) ? 'sealed' : 'changed')
      }
      return each
    })
    stuck.push(...batch.filter((_, index) => results[index] === 'stuck').map(({ kid }) => kid))
    resealed += results.filter(one => one === 'sealed').length
    done += batch.length
    batch = await rows.olderThan(version, batch.at(-1)?.kid ?? '', BATCH)
  }
  progress(done, total)
  if (stuck.length > 0) {
    const [first = ''] = stuck
    throw keyFileRefusal(
      ring.name,
      `does not open ${stuck.length} private keys whose rows were changed, ${first} first`,
    )
  }
  return resealed
}

async function dropBefore(version: number, source: KeySource, rows: SealedKeys): Promise<readonly number[]> {
  const dropped = await rows.alone(async () => {
    const older = (await rows.versions()).map(one => one.version).filter(one => one < version)
    for (const one of older) {
      if (await rows.dropVersion(one)) continue
      throw keyFileRefusal(
        source.name,
        `keeps version ${one}: private keys were sealed under it meanwhile; run this again`,
      )
    }
    return older
  })
  await rows.alone(async () => {
    const keys = (await source.read()) ?? new Map<number, never>()
    const known = (await rows.versions()).map(one => one.version)
    const kept = new Map([...keys].filter(([one]) => known.includes(one) || one > Math.max(...known)))
    if (kept.size < keys.size && kept.size > 0) await source.write?.(kept, false)
  })
  return dropped
}
