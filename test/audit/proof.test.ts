import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  consistencyProof,
  inclusionProof,
  isConsistent,
  isIncluded,
  rootAt,
  type ReadNode,
} from '../../src/audit/proof.js'
import { EMPTY, EMPTY_ROOT, extend, leafHash, nodeHash, peaksOf, rootOf, type Hash } from '../../src/audit/tree.js'

interface Vectors {
  readonly leaves: readonly string[]
  readonly roots: readonly string[]
  readonly hashes: readonly { leaf?: string; left?: string; right?: string; hash: string }[]
  readonly inclusion: readonly { index: number; size: number; proof: readonly string[] }[]
  readonly consistency: readonly { earlier: number; later: number; proof: readonly string[] }[]
  readonly counted: readonly { size: number; root: string }[]
  readonly argon2020: {
    readonly size: number
    readonly root: string
    readonly earlier: { readonly size: number; readonly root: string }
    readonly consistency: readonly string[]
    readonly leaf: string
    readonly index: number
    readonly inclusion: readonly string[]
  }
}

const VECTORS = JSON.parse(
  readFileSync(join(import.meta.dirname, '../vectors/third-party/tlog/vectors.json'), 'utf8'),
) as Vectors
const hex = (text: string) => Buffer.from(text, 'hex')
const base64 = (text: string) => Buffer.from(text, 'base64')
const text = (hash: Hash) => Buffer.from(hash).toString('hex')
const LEAVES = VECTORS.leaves.map(leaf => leafHash(hex(leaf)))

/** Reads the nodes of a tree that is held as its leaves; slow, and written otherwise than what it tests. */
const nodesOf =
  (leaves: readonly Hash[]): ReadNode =>
  (level, index) => {
    const hashOf = (from: number, to: number): Hash =>
      to - from === 1 ? leaves[from]! : nodeHash(hashOf(from, (from + to) / 2), hashOf((from + to) / 2, to))
    return Promise.resolve(hashOf(index * 2 ** level, (index + 1) * 2 ** level))
  }

describe('public vectors', () => {
  test.each(VECTORS.hashes)('hash $hash', ({ leaf, left = '', right = '', hash }) => {
    const made = leaf === undefined ? nodeHash(Buffer.from(left), Buffer.from(right)) : leafHash(Buffer.from(leaf))
    expect(text(made)).toBe(hash)
  })

  test.each(VECTORS.roots.map((root, size) => [size, root] as const))('root of %i leaves', async (size, root) => {
    expect(text(rootOf(extend(EMPTY, LEAVES.slice(0, size))))).toBe(root)
    expect(text(await rootAt(size, nodesOf(LEAVES)))).toBe(root)
  })

  test('roots of trees of 10 to 65535 counted leaves', () => {
    const leaves = Array.from({ length: 65_535 }, (_, n) => leafHash(Uint8Array.of(n & 0xff, n >> 8)))
    for (const { size, root } of VECTORS.counted) {
      expect(Buffer.from(rootOf(extend(EMPTY, leaves.slice(0, size)))).toString('base64'), `${size}`).toBe(root)
    }
  })

  test.each(VECTORS.inclusion)('leaf $index of $size', async ({ index, size, proof }) => {
    const made = await inclusionProof(index, size, nodesOf(LEAVES))
    expect(made.map(text)).toEqual(proof)
    expect(isIncluded(index, size, LEAVES[index]!, proof.map(hex), hex(VECTORS.roots[size]!))).toBe(true)
  })

  test.each(VECTORS.consistency)('$earlier within $later', async ({ earlier, later, proof }) => {
    const made = await consistencyProof(earlier, later, nodesOf(LEAVES))
    expect(made.map(text)).toEqual(proof)
    const [first, second] = [hex(VECTORS.roots[earlier]!), hex(VECTORS.roots[later]!)]
    expect(isConsistent(earlier, later, first, second, proof.map(hex))).toBe(true)
  })

  test('proofs of a log of 961 984 013 certificates', () => {
    const { size, root, earlier, consistency, leaf, index, inclusion } = VECTORS.argon2020
    const entry = leafHash(base64(leaf))
    expect(isIncluded(index, size, entry, inclusion.map(base64), base64(root))).toBe(true)
    expect(isIncluded(index + 1, size, entry, inclusion.map(base64), base64(root))).toBe(false)
    const proof = consistency.map(base64)
    expect(isConsistent(earlier.size, size, base64(earlier.root), base64(root), proof)).toBe(true)
    expect(isConsistent(earlier.size, size, base64(earlier.root), base64(root), proof.slice(1))).toBe(false)
    expect(isConsistent(earlier.size, size, base64(root), base64(root), proof)).toBe(false)
  })
})

describe('properties', () => {
  const many = Array.from({ length: 300 }, (_, n) => leafHash(Buffer.from(`leaf ${n}`)))
  const read = nodesOf(many)
  const size = fc.integer({ min: 1, max: many.length })

  test('a tree grows to the same, in one step or in several', () => {
    fc.assert(
      fc.property(size, fc.nat(), (whole, cut) => {
        const first = extend(EMPTY, many.slice(0, cut % whole))
        const grown = extend(first, many.slice(cut % whole, whole))
        expect(grown).toEqual(extend(EMPTY, many.slice(0, whole)))
        expect(peaksOf(whole)).toHaveLength(grown.peaks.length)
      }),
    )
  })

  test('peaks are the nodes they are said to be', async () => {
    for (const whole of [1, 2, 3, 7, 8, 255, 256, 257, 300]) {
      const { peaks } = extend(EMPTY, many.slice(0, whole))
      expect(await Promise.all(peaksOf(whole).map(({ level, index }) => read(level, index)))).toEqual(peaks)
    }
  })

  test('a leaf is proved at its place in its tree, and nowhere else', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.nat(), fc.nat(), async (whole, leaf, other) => {
        const index = leaf % whole
        const root = rootOf(extend(EMPTY, many.slice(0, whole)))
        const proof = await inclusionProof(index, whole, read)
        expect(isIncluded(index, whole, many[index]!, proof, root)).toBe(true)
        const elsewhere = other % whole
        expect(isIncluded(elsewhere, whole, many[index]!, proof, root)).toBe(elsewhere === index)
        expect(isIncluded(index, whole, many[index]!, [...proof, root], root)).toBe(false)
        if (proof.length > 0) expect(isIncluded(index, whole, many[index]!, proof.slice(1), root)).toBe(false)
      }),
    )
  })

  test('an earlier tree is proved, and no other root', async () => {
    await fc.assert(
      fc.asyncProperty(size, fc.nat(), async (later, cut) => {
        const earlier = (cut % later) + 1
        const [first, second] = [earlier, later].map(count => rootOf(extend(EMPTY, many.slice(0, count))))
        const proof = await consistencyProof(earlier, later, read)
        expect(isConsistent(earlier, later, first!, second!, proof)).toBe(true)
        const other = rootOf(extend(EMPTY, [...many.slice(0, earlier - 1), leafHash(Buffer.from('other'))]))
        expect(isConsistent(earlier, later, other, second!, proof)).toBe(false)
        expect(isConsistent(earlier, later, first!, other, proof)).toBe(false)
        if (earlier > 1) expect(isConsistent(earlier - 1, later, first!, second!, proof)).toBe(false)
      }),
    )
  })

  test('every tree begins with the empty one, and none with a larger', () => {
    const root = rootOf(extend(EMPTY, many.slice(0, 5)))
    expect(isConsistent(0, 5, EMPTY_ROOT, root, [])).toBe(true)
    expect(isConsistent(0, 5, root, root, [])).toBe(false)
    expect(isConsistent(6, 5, root, root, [])).toBe(false)
    expect(isConsistent(4, 5, root, root, [])).toBe(false)
    expect(isIncluded(-1, 5, root, [], root)).toBe(false)
    expect(isIncluded(5, 5, root, [], root)).toBe(false)
  })
})
