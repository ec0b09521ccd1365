import type { UnixSeconds } from '../../time.js'
import { table, text, whole } from './entities.js'

/** A row of `answer`. */
export interface AnswerRow {
  readonly name: string
  readonly request: string
  readonly until: UnixSeconds
  readonly answer: string | null
}

/** What callers that asked once were answered. */
export const AnswerTable = table<AnswerRow>({
  name: 'Answer',
  tableName: 'answer',
  columns: { name: { ...text, primary: true }, request: text, until: whole, answer: { ...text, nullable: true } },
  indices: [{ name: 'answer_until', columns: ['until'] }],
})
