import { BitstringStatusList } from '@digitalbazaar/vc-bitstring-status-list'
import { expect, test } from 'vitest'
import { bitAt, bitsOf, decodeList, encodeList } from '../../src/status/bitstring.js'

/** Revoked, seldom or often, at both ends and across bytes. */
const CASES: readonly [number, readonly number[]][] = [131_072, 1_048_576].flatMap(length => [
  [length, []] as const,
  [length, [0, 1, 7, 8, 9, 131_071, length - 1]] as const,
  [length, Array.from({ length: 1000 }, (_, n) => (n * 7919) % length)] as const,
])

test.each(CASES)(
  '%i bits: our lists decode at Digital Bazaar, and say the same of every index',
  async (length, set) => {
    const ours = bitsOf(length, set)
    const theirs = await BitstringStatusList.decode({ encodedList: encodeList(ours) })
    expect(theirs.length).toBe(length)
    for (let index = 0; index < length; index += index < 2000 ? 1 : 97) {
      if (theirs.getStatus(index) !== bitAt(ours, index)) expect.fail(`index ${index}`)
    }
    for (const index of set) expect(theirs.getStatus(index)).toBe(true)
  },
)

test.each(CASES)('%i bits: their lists decode here, to the same bytes', async (length, set) => {
  const theirs = new BitstringStatusList({ length })
  for (const index of set) theirs.setStatus(index, true)
  const decoded = decodeList(await theirs.encode(), 'theirs')
  expect(Buffer.from(decoded).equals(bitsOf(length, set))).toBe(true)
})
