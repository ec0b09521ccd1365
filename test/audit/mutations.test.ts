import { mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verifyLog, type VerifiedLog } from '../../src/adapters/audit/verify.js'
import type { Checkpoint } from '../../src/audit/checkpoint.js'
import { decodeBundle, encodeBundle, tilePath } from '../../src/audit/tile.js'
import { leafHash } from '../../src/audit/tree.js'
import { recordAt, signer, writeLog } from './log-on-disk.js'

/** Changes of a log that was verified before. `npm run drill` makes 10 000. */
const CASES = Number(process.env['PROCURA_AUDIT_MUTATIONS'] ?? 500)
const SEED = Number(process.env['PROCURA_AUDIT_SEED'] ?? 1)
const SIZES = [90, 200, 290]
const SIZE = 290
/** What the auditor has kept: the log with its first 200 records. */
const KEPT = 1

let folder: string
let checkpoints: readonly Checkpoint[]
const entries = Array.from({ length: SIZE }, (_, n) => recordAt(n))
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'procura-mutations-'))
  checkpoints = writeLog(folder, entries, SIZES)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const verify = (): Promise<VerifiedLog> => verifyLog(folder, signer, [checkpoints[KEPT]!])

/** xorshift: the same cases for the same seed. */
let state = (SEED * 2_654_435_769) >>> 0 || 1
function random(below: number): number {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}
const one = <T>(of: readonly T[]): T => of[random(of.length)]!

const files = (): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
const bundles = ['tile/entries/000', 'tile/entries/001.p/34'].map(path => () => join(folder, path))

/** Rewrites the records of a bundle. Returns what was done, or `null` if nothing was. */
function rebundle(change: (records: Uint8Array[]) => string | null): string | null {
  const path = one(bundles)()
  const records = [...decodeBundle(readFileSync(path))!]
  const said = change(records)
  if (said !== null) writeFileSync(path, encodeBundle(records))
  return said
}

/** Each changes something, or returns `null`. */
const MUTATIONS: Readonly<Record<string, () => string | null>> = {
  'a bit is flipped'() {
    const path = one(files())
    const bytes = readFileSync(path)
    const bit = random(bytes.length * 8)
    bytes[bit >> 3]! ^= 1 << (bit % 8)
    writeFileSync(path, bytes)
    return `bit ${bit} of ${path}`
  },
  'a file is cut'() {
    const path = one(files())
    const bytes = readFileSync(path)
    const length = random(bytes.length)
    writeFileSync(path, bytes.subarray(0, length))
    return `${path} at ${length}`
  },
  'a file gets longer'() {
    const path = one(files())
    const bytes = readFileSync(path)
    const more = one([Buffer.alloc(1 + random(40), random(256)), bytes, bytes.subarray(0, 1 + random(bytes.length))])
    writeFileSync(path, Buffer.concat([bytes, more]))
    return `${path} by ${more.length}`
  },
  'a file is removed'() {
    const path = one(files())
    // an older, narrower tile of what stands in a wider one says nothing of its own
    if (/\.p\/(90|200)$/.test(path) || path.endsWith('tile/1/000.p/0')) return null
    unlinkSync(path)
    return path
  },
  'two files change places'() {
    const [a, b] = [one(files()), one(files())]
    const [first, second] = [readFileSync(a), readFileSync(b)]
    if (first.equals(second)) return null
    writeFileSync(a, second)
    writeFileSync(b, first)
    return `${a} and ${b}`
  },
  'records change places': () =>
    rebundle(records => {
      const [a, b] = [random(records.length), random(records.length)]
      ;[records[a], records[b]] = [records[b]!, records[a]!]
      return a === b ? null : `${a} and ${b}`
    }),
  'a record is removed': () =>
    rebundle(records => {
      const at = random(records.length)
      records.splice(at, 1)
      return String(at)
    }),
  'a record is there twice': () =>
    rebundle(records => {
      const [at, from] = [random(records.length + 1), random(records.length)]
      records.splice(at, 0, records[from]!)
      return `${from} at ${at}`
    }),
  'a record is inserted': () =>
    rebundle(records => {
      const at = random(records.length + 1)
      records.splice(at, 0, recordAt(1000 + random(1000)))
      return String(at)
    }),
  'a record is replaced, with its hash'() {
    const at = random(256)
    const record = recordAt(1000 + at)
    const [bundle, tile] = ['entries' as const, 0].map(level => join(folder, tilePath({ level, index: 0, width: 256 })))
    const records = [...decodeBundle(readFileSync(bundle!))!]
    records[at] = record
    writeFileSync(bundle!, encodeBundle(records))
    const hashes = readFileSync(tile!)
    hashes.set(leafHash(record), at * 32)
    writeFileSync(tile!, hashes)
    return String(at)
  },
  'the log is forked and signed anew'() {
    const at = random(SIZES[KEPT]!)
    const forked = entries.with(at, recordAt(1000 + at))
    writeLog(folder, one([forked, forked.toSpliced(at, 1), forked.toSpliced(at, 0, recordAt(999))]), [SIZE - 1])
    return String(at)
  },
  'records change places, and the log is signed anew'() {
    const [a, b] = [random(SIZES[KEPT]!), random(SIZE)]
    writeLog(folder, entries.with(a, entries[b]!).with(b, entries[a]!), SIZES)
    return a === b ? null : `${a} and ${b}`
  },
  'the log is cut and signed anew'() {
    const size = random(SIZES[KEPT]!)
    writeLog(folder, entries, [size])
    return String(size)
  },
}

test(`${CASES} changes of a log: each is found`, async () => {
  expect((await verify()).findings).toEqual([])
  const missed: string[] = []
  const counts = new Map<string, number>()
  const before = new Map(files().map(path => [path, readFileSync(path)]))
  for (let n = 0; n < CASES;) {
    const [name, mutate] = one(Object.entries(MUTATIONS))
    const said = mutate()
    if (said !== null) {
      const { findings } = await verify()
      if (findings.length === 0) missed.push(`${name}: ${said}`)
      counts.set(name, (counts.get(name) ?? 0) + 1)
      n += 1
    }
    if (name.includes('signed anew')) writeLog(folder, entries, SIZES)
    else for (const [path, bytes] of before) if (!isAs(path, bytes)) writeFileSync(path, bytes)
  }
  expect(missed).toEqual([])
  expect((await verify()).findings).toEqual([])
  expect([...counts.keys()].sort()).toEqual(Object.keys(MUTATIONS).sort())
  if (CASES > 500) console.log(`${CASES} mutations, ${missed.length} missed`, Object.fromEntries(counts))
}, 600_000)

function isAs(path: string, bytes: Buffer): boolean {
  try {
    return readFileSync(path).equals(bytes)
  } catch {
    return false
  }
}
