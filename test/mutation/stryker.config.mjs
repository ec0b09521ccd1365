/** One folder of src alone, against its own tests: `PROCURA_MUTATE=status npm run mutation` takes minutes, not an hour. */
const folder = process.env['PROCURA_MUTATE'] ?? '{jws,authority,delegation,presentation,status,verifier}'

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner', './test/mutation/texts.mjs'],
  vitest: { configFile: 'test/mutation/vitest.config.ts' },
  mutate: [`src/${folder}/**/*.ts`],
  // the words of a message, see texts.mjs; nothing else is left out
  ignorers: ['texts'],
  // what no test reads
  ignorePatterns: ['bench', 'data', 'dist', 'docs', 'examples'],
  coverageAnalysis: 'perTest',
  concurrency: 2,
  // a busy machine must not pass for an endless loop
  timeoutMS: 60_000,
  tempDirName: 'data/var/stryker',
  reporters: ['clear-text', 'json', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: 'data/var/mutation.json' },
  thresholds: { high: 95, low: 90, break: 85 },
}
