import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openMarker, readMarker, resetMarker } from '../../src/adapters/marker/file.js'
import { codeOf } from '../resolve/host.js'

let folder: string
let files = 0
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'procura-marker-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))
const fresh = (): string => join(folder, String((files += 1)), 'marker')
const size = (bytes: number) => () => Promise.resolve(bytes)

test('remembers the highest, durably, in a private file', async () => {
  const path = fresh()
  const marker = await openMarker(path, size(10))
  expect(marker.reached).toBe(0)
  await marker.raise(5)
  expect([marker.reached, await readMarker(path)]).toEqual([5, { sequence: 5, auditSize: 10 }])
  await marker.raise(3)
  expect((await readMarker(path)).sequence).toBe(5)
  expect((await stat(path)).mode & 0o777).toBe(0o600)
  expect((await openMarker(path, size(10))).reached).toBe(5)
})

test('what is behind it is refused: the database, or the audit log', async () => {
  const path = fresh()
  await (await openMarker(path, size(100))).raise(7)
  const marker = await openMarker(path, size(100))
  expect(await codeOf(() => marker.requireReached({ sequence: 7, auditSize: 100 }))).toBeNull()
  expect(await codeOf(() => marker.requireReached({ sequence: 8, auditSize: 200 }))).toBeNull()
  expect(await codeOf(() => marker.requireReached({ sequence: 6, auditSize: 200 }))).toBe('STORAGE_ROLLED_BACK')
  expect(await codeOf(() => marker.requireReached({ sequence: 7, auditSize: 99 }))).toBe('STORAGE_ROLLED_BACK')
})

test('who raises at the same time shares a line; nobody is answered before his is there', async () => {
  const path = fresh()
  const marker = await openMarker(path, size(0))
  await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      await marker.raise(n + 1)
      expect((await readMarker(path)).sequence).toBeGreaterThan(n)
    }),
  )
  expect((await readFile(path, 'latin1')).split('\n').length).toBeLessThan(20)
})

test('two that share a file never take the other back', async () => {
  const path = fresh()
  const [one, two] = [await openMarker(path, size(1)), await openMarker(path, size(2))]
  await Promise.all(Array.from({ length: 50 }, (_, n) => (n % 2 === 0 ? one : two).raise(n + 1)))
  expect((await readMarker(path)).sequence).toBe(50)
})

test('half a line is passed over, whatever is written behind it', async () => {
  const path = fresh()
  const marker = await openMarker(path, size(1))
  await marker.raise(1)
  await appendFile(path, '00000000')
  await marker.raise(2)
  await marker.raise(3)
  expect((await readMarker(path)).sequence).toBe(3)
})

test('a file that is no marker is no empty one', async () => {
  const path = fresh()
  await (await openMarker(path, size(1))).raise(1)
  await writeFile(path, 'something else\n')
  expect(await codeOf(() => openMarker(path, size(1)))).toBe('STORAGE_UNAVAILABLE')
  expect(await codeOf(() => openMarker(folder, size(1)))).toBe('STORAGE_UNAVAILABLE')
})

test('where it cannot be written, what moved the sequence fails', async () => {
  const path = fresh()
  const marker = await openMarker(path, () => Promise.reject(new Error('no audit log')))
  await expect(marker.raise(1)).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  expect(marker.reached).toBe(0)
})

test('is shortened by nobody but fsck, and grows by a line', async () => {
  const path = fresh()
  const marker = await openMarker(path, size(1))
  for (let n = 1; n <= 3; n += 1) await marker.raise(n)
  expect((await stat(path)).size).toBe(3 * 34)
  await appendFile(path, `${'0'.repeat(15)}3 ${'0'.repeat(15)}1\n`.repeat(2000))
  await resetMarker(path, { sequence: 9, auditSize: 0 })
  expect([(await stat(path)).size, await readMarker(path)]).toEqual([34, { sequence: 9, auditSize: 0 }])
})
