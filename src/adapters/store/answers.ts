import { type DataSource, IsNull, LessThanOrEqual, type Repository } from 'typeorm'
import type { Answers, Asked } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import { type AnswerRow, AnswerTable } from './answer-entities.js'
import { insertMissing } from './insert.js'

/** Answers in one table. */
export class AnswerRows implements Answers {
  readonly #dataSource: DataSource
  readonly #rows: Repository<AnswerRow>

  constructor(dataSource: DataSource) {
    this.#dataSource = dataSource
    this.#rows = dataSource.getRepository(AnswerTable)
  }

  /** What ended by `now` is forgotten first. */
  async claim(name: string, request: string, now: UnixSeconds, until: UnixSeconds): Promise<Asked | null> {
    await this.#rows.delete({ until: LessThanOrEqual(now) })
    if (await insertMissing(this.#dataSource, AnswerTable, { name, request, until, answer: null })) return null
    const { request: before, answer } = await this.#rows.findOneByOrFail({ name })
    return { request: before, answer }
  }

  /** Puts it beside the claim. */
  async keep(name: string, answer: string): Promise<void> {
    await this.#rows.update({ name }, { answer })
  }

  /** What was answered stays. */
  async forget(name: string): Promise<void> {
    await this.#rows.delete({ name, answer: IsNull() })
  }
}
