import { rm } from 'node:fs/promises'
import { takeLock } from '../adapters/audit/lock.js'
import { runBulk, type BulkWork } from '../adapters/cli/bulk.js'
import { printReport } from '../adapters/cli/bulk-report.js'
import type { Output } from '../adapters/cli/output.js'
import { systemClock } from '../adapters/system.js'
import { interruptible } from './interruptible.js'
import type { Shell } from './program.js'

/** Works through a file, one process at a time, and says what became of it. @returns the exit code */
export async function workThrough(file: string, work: BulkWork, options: Output, shell: Shell): Promise<number> {
  const lock = `${file}.lock`
  const unlock = await takeLock(lock, file, systemClock)
  try {
    const report = await interruptible(signal =>
      runBulk(file, work, { stream: process.stderr, clock: systemClock, signal }),
    )
    return printReport(report, options, shell.terminal)
  } finally {
    for (const path of [lock, `${lock}.holder`]) await rm(path, { force: true })
    await unlock()
  }
}
