import { expect, test } from 'vitest'
import { fuzz } from './run.js'
import { tell } from './tally.js'

/** PROCURA_FUZZ_CASES cases of PROCURA_FUZZ_SEED from case PROCURA_FUZZ_FROM: a miss names what makes it again. */
const [cases = 1_000_000, seed = 1, from = 0] = ['CASES', 'SEED', 'FROM'].map(name => {
  const given = process.env[`PROCURA_FUZZ_${name}`]
  return given === undefined ? undefined : Number(given)
})

test(`${cases} requests with one thing broken, seed ${seed}`, async () => {
  const report = await fuzz({ seed, cases, from, stall: 100 })
  console.log(tell(report))
  expect(report.misses).toEqual([])
})
