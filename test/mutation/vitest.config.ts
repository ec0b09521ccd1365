import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { SuiteFailures } from './suite-failures.js'

/** One folder and its own tests, if the environment says so; see stryker.config.mjs. */
const one = process.env['PROCURA_MUTATE'] ?? '{authority,credential,delegation,jws,policy,presentation,status,verifier}'
/** How a link differs from the one above is told by explanations, and whether its name is bound by decisions. */
const folder = one === 'delegation' ? '{delegation,verifier}' : one

/** Take longest: they come last, because the first failure ends the run of a mutant. */
const SLOW = ['e2e/attacks', 'vectors', 'delegation/chain', 'jws/compact', 'authority/constraint-order', 'authority/grant-order'] // prettier-ignore

class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const slowness = ({ moduleId }: TestSpecification): number => SLOW.findIndex(name => moduleId.includes(`/${name}.`))
    return Promise.resolve(files.toSorted((a, b) => slowness(a) - slowness(b)))
  }
}

/**
 * The fast unit tests of what is mutated, for `npm run mutation` only. Left out is what listens, stores, installs or
 * runs for long; status/allocation, whose one law over a million positions takes longer than all else, since
 * status/known-indexes holds the same lines; and test/decide-lines.test.ts, which rewrites the source of `decide`
 * itself: a mutation test of its own.
 */
export default defineConfig({
  plugins: [
    {
      // vitest 4.1 hands the suite to a hook as its second argument; without it Stryker 9.0.1 learns nothing of coverage
      name: 'stryker-hooks',
      transform: (code, id) =>
        /\/stryker-setup-\d+\.js$/.test(id)
          ? code.replaceAll('afterAll((suite) =>', 'afterAll(({}, suite) =>')
          : undefined,
    },
  ],
  test: {
    root: new URL('../..', import.meta.url).pathname,
    include: [`test/${folder}/*.test.ts`, 'test/e2e/attacks.test.ts', 'test/vectors.test.ts'],
    exclude: ['test/status/allocation.test.ts', 'test/verifier/commit-transaction.test.ts'],
    setupFiles: ['test/mutation/same-examples.ts'],
    reporters: ['default', new SuiteFailures()],
    sequence: { sequencer: QuickFirst },
    testTimeout: 60_000,
    // modules are loaded once per run instead of once per file: half the time
    isolate: false,
    pool: 'threads',
    maxWorkers: 1,
  },
})
