import type { RunnerTask, RunnerTestCase, RunnerTestSuite } from 'vitest'
import type { Reporter, Vitest } from 'vitest/node'

/**
 * Stryker asks which tests failed. A file that a mutant keeps from loading, or a beforeAll that throws, fails no test:
 * its tests do not run, and the mutant would count as survived. So each such failure is entered as a failed test.
 */
export class SuiteFailures implements Reporter {
  private vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.vitest = vitest
  }

  onTestRunEnd(): void {
    for (const file of this.vitest?.state.getFiles() ?? []) enter(file)
  }
}

function enter(suite: RunnerTestSuite): void {
  suite.tasks.filter((task: RunnerTask): task is RunnerTestSuite => task.type === 'suite').forEach(enter)
  const errors = suite.result?.errors ?? []
  // after a timeout Stryker may take away its own set-up file: that says nothing about the mutant
  if (suite.result?.state !== 'fail' || errors.every(({ message }) => message.includes('stryker-setup'))) return
  const { file, result } = suite
  suite.tasks.push({ type: 'test', name: 'starts', mode: 'run', suite, file, result } as unknown as RunnerTestCase)
}
