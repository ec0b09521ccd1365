import { printable } from '../../errors.js'
import type { BulkReport } from './bulk.js'
import { show, type Output } from './output.js'
import { EXIT, toFailure } from './problem.js'
import type { Terminal } from './terminal.js'

/** Says what became of a file. @returns 0 if all was done, 75 after an interruption, 77 if rows failed, else why it ended */
export function printReport(report: BulkReport, options: Output, terminal: Terminal): number {
  const { file, done, doneBefore, failed, answers, failures, ended } = report
  const answer = { file, done, doneBefore, failed, answers, failures: failed === 0 ? null : failures }
  const why = ended === null ? null : ended === 'interrupted' ? 'INTERRUPTED' : ended.code
  show(terminal, options, { ...answer, ended: why }, () =>
    [
      `${done} done${doneBefore === 0 ? '' : `, ${doneBefore} of them before`}: ${answers}`,
      ...(failed === 0 ? [] : [`${failed} failed: ${failures}`]),
    ].map(printable),
  )
  if (ended === null) return failed === 0 ? 0 : EXIT.forbidden
  if (ended !== 'interrupted') terminal.tell(toFailure(ended).lines)
  terminal.tell('procura: not all rows were seen; the same command goes on')
  return ended === 'interrupted' ? EXIT.limited : EXIT[ended.kind]
}
