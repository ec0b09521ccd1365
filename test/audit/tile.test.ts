import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rootAt } from '../../src/audit/proof.js'
import {
  decodeBundle,
  encodeBundle,
  entryIn,
  hashesOf,
  nodesIn,
  parseTilePath,
  perfectRoot,
  tilePath,
  tilesOf,
  type TileName,
} from '../../src/audit/tile.js'
import { EMPTY, extend, leafHash, rootOf, type Hash } from '../../src/audit/tree.js'
import { codeOf } from '../resolve/host.js'

describe('paths', () => {
  test.each<[TileName, string]>([
    [{ level: 0, index: 1_234_067, width: 256 }, 'tile/0/x001/x234/067'], // the example of the specification
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 1, index: 999, width: 17 }, 'tile/1/999.p/17'],
    [{ level: 'entries', index: 1000, width: 255 }, 'tile/entries/x001/000.p/255'],
    [{ level: 63, index: 1_000_000, width: 1 }, 'tile/63/x001/x000/000.p/1'],
  ])('%j is %s', (name, path) => {
    expect(tilePath(name)).toBe(path)
    expect(parseTilePath(path)).toEqual(name)
  })

  test.each([
    'tile/00/000',
    'tile/64/000',
    'tile/-1/000',
    'tile/0/0',
    'tile/0/x000/000',
    'tile/0/001/x000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
    'tile/0/000.p/01',
    'tile/data/000',
    'tile/0/000/',
    '/tile/0/000',
    'tile/0/x001/234x/067',
  ])('%s is none', path => {
    expect(parseTilePath(path)).toBeNull()
  })
})

test('the tiles of a tree of 70 000 leaves are those that the specification counts', () => {
  const all = [...tilesOf(70_000)]
  const of = (level: TileName['level'], full: boolean) =>
    all.filter(one => one.level === level && (one.width === 256) === full).map(({ width }) => width)
  expect([
    of(0, true).length,
    of(0, false),
    of(1, true).length,
    of(1, false),
    of(2, true).length,
    of(2, false),
  ]).toEqual([273, [112], 1, [17], 0, [1]])
  expect(of('entries', true).length).toBe(273)
  expect([...tilesOf(256)].map(tilePath)).toEqual(['tile/entries/000', 'tile/0/000', 'tile/1/000.p/1'])
  expect([...tilesOf(0)]).toEqual([])
})

test('nodes are found in tiles, whatever the size of the tree', async () => {
  const leaves = Array.from({ length: 70_000 }, (_, n) => leafHash(Buffer.from(String(n))))
  const rows: Hash[][] = [leaves]
  for (let row = leaves; row.length >= 256;) {
    const above: Hash[] = []
    for (let at = 0; at + 256 <= row.length; at += 256) above.push(perfectRoot(row.slice(at, at + 256)))
    rows.push(above)
    row = above
  }
  const read = nodesIn((level, index) => Promise.resolve(rows[level]!.slice(index * 256, (index + 1) * 256)))
  for (const size of [1, 255, 256, 257, 511, 65_535, 65_536, 65_537, 70_000]) {
    expect(await rootAt(size, read), `${size}`).toEqual(rootOf(extend(EMPTY, leaves.slice(0, size))))
  }
})

describe('bundles', () => {
  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 20 }), entries => {
        const bundle = encodeBundle(entries)
        expect(decodeBundle(bundle)?.map(one => [...one])).toEqual(entries.map(one => [...one]))
        const single = [...entries, null].map((_, at) => entryIn(bundle, at))
        expect(single.map(one => one && [...one])).toEqual([...entries.map(one => [...one]), null])
      }),
    )
    expect([...encodeBundle([Buffer.from('abc'), Buffer.alloc(300)]).subarray(0, 7)]).toEqual([0, 3, 97, 98, 99, 1, 44])
  })

  test('that end within an entry are none', () => {
    const whole = encodeBundle([Buffer.from('one'), Buffer.from('two')])
    for (const end of [1, 4, 6, 7, 9]) expect(decodeBundle(whole.subarray(0, end)), `${end}`).toBeNull()
  })

  test('a row of hashes has whole ones only', async () => {
    expect(hashesOf(Buffer.alloc(64), 'x')).toHaveLength(2)
    expect(await codeOf(() => hashesOf(Buffer.alloc(63), 'x'))).toBe('AUDIT_BROKEN')
  })
})
