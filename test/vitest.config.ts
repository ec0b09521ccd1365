import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Take longest, in this order: begun last, one of them would run alone while the other core waits. */
const SLOW = [
  'fuzz/fuzz',
  'contract/postgres',
  'http/processes',
  'fuzz/broken',
  'contract/processes',
  'veramo/rotate',
  'contract/store',
  'cli/transcripts',
  'e2e/examples',
  'contract/state',
  'issuer/processes',
  'cli/approve',
  'authority/soundness',
  'decide-lines',
]

class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = SLOW.findIndex(name => moduleId.endsWith(`/${name}.test.ts`))
      return at < 0 ? SLOW.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/contract/postgres-server.ts', 'test/contract/redis-server.ts'],
    sequence: { sequencer: SlowFirst },
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // one fewer than there are cores would be one of two
    maxWorkers: '100%',
    // loading the modules anew for each file would take as long as many a test, and none of ours keeps state
    isolate: false,
    reporters:
      process.env['CI'] === 'true' ? ['default', ['json', { outputFile: 'data/var/test-report.json' }]] : ['default'],
  },
})
