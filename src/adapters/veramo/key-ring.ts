import type { KeyObject } from 'node:crypto'
import type { ProcuraError } from '../../errors.js'
import type { KeyVersion, SealedKeys } from '../../ports/keys.js'
import { keyFileRefusal } from './key-file.js'
import { drawKey, fingerprintOf, type Keys, type KeySource } from './key-source.js'
import type { VersionedKey } from './seal.js'

/** How long the newest version may be another's news, in milliseconds. */
export const NEWS = 1_000

/**
 * The key-encryption keys of one database. Which versions count stands in the database, with fingerprints; the keys come
 * from a source outside of it, which is read again when a version turns up that is not known yet.
 */
export class KeyRing {
  readonly #source: KeySource
  readonly #rows: SealedKeys
  #keys: Keys = new Map()
  #newest: VersionedKey | null = null
  #looked = 0

  /** Only {@link openKeyRing} makes one that was checked. */
  constructor(source: KeySource, rows: SealedKeys) {
    this.#source = source
    this.#rows = rows
  }

  /** The key that new rows are sealed under; a version made elsewhere is taken up within {@link NEWS}. @throws KEY_FILE, STORAGE_UNAVAILABLE */
  async newest(): Promise<VersionedKey> {
    const now = performance.now()
    if (this.#newest === null || now - this.#looked > NEWS) {
      const version = (await this.#rows.versions()).at(-1)?.version ?? 0
      if (version !== this.#newest?.version) this.#newest = { version, key: await this.key(version) }
      this.#looked = now
    }
    return this.#newest
  }

  /** Looks at the versions anew the next time it is asked for the newest. */
  forget(): void {
    this.#newest = null
  }

  /** The key of a version. @throws KEY_FILE - the source does not have it, or another; STORAGE_UNAVAILABLE */
  async key(version: number): Promise<KeyObject> {
    const key = this.#keys.get(version) ?? (await this.read()).get(version)
    if (key === undefined) throw keyFileRefusal(this.#source.name, `lacks version ${version}`)
    return key
  }

  /** Reads the source and holds it to what the database knows. @throws KEY_FILE, STORAGE_UNAVAILABLE */
  async read(): Promise<Keys> {
    const keys = await this.#source.read()
    if (keys === null) {
      throw keyFileRefusal(this.#source.name, 'is missing; restore the key file that belongs to this database')
    }
    requireOwn(keys, await this.#rows.versions(), this.#source.name)
    this.#keys = keys
    return keys
  }

  /** What the source is called in messages. */
  get name(): string {
    return this.#source.name
  }
}

/**
 * Opens the ring of a database. A new database takes the keys that the source has, or has them made; from then on it
 * remembers their fingerprints, so a missing or foreign source stops the start before anything is written under it.
 *
 * @throws KEY_FILE, STORAGE_UNAVAILABLE
 */
export async function openKeyRing(source: KeySource, rows: SealedKeys): Promise<KeyRing> {
  if ((await rows.versions()).length === 0) await firstKeys(source, rows)
  const ring = new KeyRing(source, rows)
  const keys = await ring.read()
  await takeUp(keys, rows)
  for (const version of (await rows.counts()).keys()) await ring.key(version)
  await ring.newest()
  return ring
}

/** A ring that ends with the process, for a database that does so too. */
export async function openPassingRing(rows: SealedKeys): Promise<KeyRing> {
  const keys: Keys = new Map([[1, drawKey()]])
  return openKeyRing({ name: 'memory', read: () => Promise.resolve(keys), write: null }, rows)
}

/** Versions above the newest become versions of the database; older ones that it does not know were dropped. */
export async function takeUp(keys: Keys, rows: SealedKeys): Promise<void> {
  const newest = (await rows.versions()).at(-1)?.version ?? 0
  for (const [version, key] of keys) {
    if (version > newest) await rows.addVersion({ version, fingerprint: fingerprintOf(key) })
  }
}

async function firstKeys(source: KeySource, rows: SealedKeys): Promise<void> {
  if ((await source.read()) === null) await source.write?.(new Map([[1, drawKey()]]), true)
  const keys = await source.read()
  if (keys === null) throw keyFileRefusal(source.name, 'is a symbolic link that leads nowhere')
  await takeUp(keys, rows)
}

function requireOwn(keys: Keys, known: readonly KeyVersion[], name: string): void {
  const shared = known.filter(({ version }) => keys.has(version))
  const foreign = shared.find(({ version, fingerprint }) => {
    const key = keys.get(version)
    return key === undefined || fingerprintOf(key) !== fingerprint
  })
  if (foreign !== undefined) throw refusal(name, foreign.version)
  if (known.length > 0 && shared.length === 0) throw refusal(name, known.at(-1)?.version ?? 0)
}

function refusal(name: string, version: number): ProcuraError {
  return keyFileRefusal(name, `does not belong to this database: its version ${version} is another key`)
}
