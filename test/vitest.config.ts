import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/contract/postgres-server.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // one fewer than there are cores would be one of two
    maxWorkers: '100%',
    reporters:
      process.env['CI'] === 'true' ? ['default', ['json', { outputFile: 'data/var/test-report.json' }]] : ['default'],
  },
})
