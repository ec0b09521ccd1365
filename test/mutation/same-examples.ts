import fc from 'fast-check'
import { afterAll } from 'vitest'

// A mutant must not live or die by luck, and a counterexample need not be small: that there is one is all that counts.
fc.configureGlobal({ seed: 20_261_125, endOnFailure: true })

// Files share their modules here (isolate: false). A mutant that is switched on for the tests of one must be off while
// the next one loads; Stryker switches it on again for the tests of that.
afterAll(() => {
  const { __stryker__: stryker } = globalThis as { __stryker__?: { activeMutant?: string | undefined } }
  if (stryker !== undefined) stryker.activeMutant = undefined
})
