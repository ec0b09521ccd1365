import { defineConfig } from 'vitest/config'

/** The long run only: `npx vitest run --config test/fuzz/vitest.config.ts`. */
export default defineConfig({
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: ['test/fuzz/long.ts'],
    testTimeout: 24 * 3_600_000,
  },
})
