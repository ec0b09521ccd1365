import { isProcuraError } from '../../src/errors.js'

/**
 * What became of a call: `ok`, the code of a refusal, or `DEFECT …` for an error that nobody meant to throw. A table of
 * refusals compares this with its last column, so that a `TypeError` never passes for a refusal.
 */
export function outcome(run: () => unknown): string {
  try {
    run()
    return 'ok'
  } catch (error) {
    return codeOf(error)
  }
}

/** The same for a promise. */
export async function settled(run: () => Promise<unknown>): Promise<string> {
  try {
    await run()
    return 'ok'
  } catch (error) {
    return codeOf(error)
  }
}

function codeOf(error: unknown): string {
  return isProcuraError(error) ? error.code : `DEFECT ${String(error)}`
}
