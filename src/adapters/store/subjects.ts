import { In, IsNull, MoreThan, Not, type DataSource, type FindOptionsWhere, type Repository } from 'typeorm'
import type { Did } from '../../did/did.js'
import type { JsonObject } from '../../json.js'
import type { Subject, SubjectQuery, Subjects, SubjectState } from '../../ports/register.js'
import type { Transactions } from '../../ports/world.js'
import type { UnixSeconds } from '../../time.js'
import { insertMissing } from './insert.js'
import { SubjectNameTable, SubjectTable, type SubjectRow } from './subject-entities.js'

/** The register in two tables. Every method throws STORAGE_UNAVAILABLE if the database cannot be used. */
export class SubjectRows implements Subjects {
  readonly #dataSource: DataSource
  readonly #transactions: Transactions
  readonly #rows: Repository<SubjectRow>

  constructor(dataSource: DataSource, transactions: Transactions) {
    this.#dataSource = dataSource
    this.#transactions = transactions
    this.#rows = dataSource.getRepository(SubjectTable)
  }

  /** False, and nothing is kept, if the DID or the key was ever registered. */
  async add({ agent, ...subject }: Subject): Promise<boolean> {
    return this.#transactions.transaction(async () => {
      if (!(await this.#take(subject.id, [subject.did, nameOfKey(subject.key)]))) return false
      await this.#rows.insert({ ...subject, agent: agent === null ? null : JSON.stringify(agent) })
      return true
    })
  }

  /** By `id` or current DID; `null` if there is none. */
  async find(name: string): Promise<Subject | null> {
    const row = await this.#rows.findOneBy(named(name))
    return row === null ? null : toSubject(row)
  }

  /** As `find`, with the row locked: a write that changes nothing waits for others and keeps them waiting. */
  async hold(name: string): Promise<Subject | null> {
    await this.#rows
      .createQueryBuilder()
      .update()
      .set({ state: () => 'state' })
      .where(named(name))
      .execute()
    return this.find(name)
  }

  /** Changes the state if it is one of `from`; true if it did. */
  async move(id: string, from: readonly SubjectState[], to: SubjectState): Promise<boolean> {
    const { affected } = await this.#rows.update({ id, state: In([...from]) }, { state: to })
    return affected === 1
  }

  /** Puts DID and key in place of the current ones. False if one of them was ever registered, its own DID excepted. */
  async rekey(id: string, did: Did, key: string): Promise<boolean> {
    return this.#transactions.transaction(async () => {
      const current = await this.#rows.findOneBy({ id })
      const names = current?.did === did ? [nameOfKey(key)] : [did, nameOfKey(key)]
      if (current === null || !(await this.#take(id, names))) return false
      await this.#rows.update({ id }, { did, key })
      return true
    })
  }

  /** Those behind `after`, in the order of ids. */
  async list({ after, limit, kind, state, owner }: SubjectQuery): Promise<readonly Subject[]> {
    const where: FindOptionsWhere<SubjectRow> = {
      ...(after === null ? {} : { id: MoreThan(after) }),
      ...(kind === undefined ? {} : { kind }),
      ...(state === undefined ? {} : { state }),
      ...(owner === undefined ? {} : { owner }),
    }
    const rows = await this.#rows.find({ where, order: { id: 'ASC' }, take: limit })
    return rows.map(toSubject)
  }

  /** How many an owner has that are not retired and have not ended. */
  async countOwned(owner: string, now: UnixSeconds): Promise<number> {
    const standing = { owner, state: Not<SubjectState>('retired') }
    return this.#rows.countBy([
      { ...standing, expiresAt: IsNull() },
      { ...standing, expiresAt: MoreThan(now) },
    ])
  }

  /** Takes names for good; all of them or, with false, none. */
  async #take(subject: string, names: readonly string[]): Promise<boolean> {
    const taken: string[] = []
    for (const name of names) {
      if (await insertMissing(this.#dataSource, SubjectNameTable, { name, subject })) {
        taken.push(name)
        continue
      }
      if (taken.length > 0) await this.#dataSource.getRepository(SubjectNameTable).delete({ name: In(taken) })
      return false
    }
    return true
  }
}

function named(name: string): FindOptionsWhere<SubjectRow> {
  return name.startsWith('did:') ? { did: name as Did } : { id: name }
}

function nameOfKey(key: string): string {
  return `key:${key}`
}

function toSubject({ agent, ...row }: SubjectRow): Subject {
  return { ...row, agent: agent === null ? null : (JSON.parse(agent) as JsonObject) }
}
