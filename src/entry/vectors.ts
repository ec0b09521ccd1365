import type { Output } from '../adapters/cli/output.js'
import type { Terminal } from '../adapters/cli/terminal.js'
import { vectorsCommand } from '../adapters/cli/vectors.js'
import { memoryLedger, memoryVersions } from '../adapters/state/memory.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { createVerifier } from '../verifier/verifier.js'

/** Runs vector files through the verifier, each case with fresh stores. @returns the exit code @throws CONFIG_INVALID */
export function runVectorFiles(files: readonly string[], options: Output, terminal: Terminal): Promise<number> {
  const stores = () => ({ ledger: memoryLedger(systemClock, { budgets: true }), listVersions: memoryVersions() })
  return vectorsCommand(files, options, { createVerifier, ids: systemIds, stores }, terminal)
}
