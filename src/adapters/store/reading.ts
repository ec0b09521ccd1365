import type { DataSource } from 'typeorm'
import { oneAtATime } from '../../sharing.js'
import { gatheringOn } from './gathering.js'
import { JoiningDataSource } from './joining.js'

/**
 * The rows of one statement that changes nothing. Inside a transaction it is part of it; outside it waits for no writer.
 *
 * @param sql - with `?` for its parameters, and nowhere else
 * @throws STORAGE_UNAVAILABLE
 */
export function readRows<R>(dataSource: DataSource, sql: string, parameters: readonly unknown[]): Promise<R[]> {
  const written = writtenFor(dataSource, sql)
  return isApart(dataSource)
    ? dataSource.readApart<R>(written, parameters)
    : dataSource.query<R[]>(written, [...parameters])
}

/**
 * As {@link readRows}, for what many ask at the same time: outside of transactions those who ask the same share an answer
 * that was read after they asked. Nobody changes the rows.
 */
export async function readShared<R>(
  dataSource: DataSource,
  sql: string,
  parameters: readonly string[],
): Promise<readonly R[]> {
  if (!isApart(dataSource)) return readRows<R>(dataSource, sql, parameters)
  let ask = asking.get(dataSource)
  if (ask === undefined) {
    ask = oneAtATime((_name, asked, given) => readRows(dataSource, asked, given))
    asking.set(dataSource, ask)
  }
  return (await ask(`${sql} ${parameters.join(' ')}`, sql, parameters)) as readonly R[]
}

const asking = new WeakMap<DataSource, (name: string, sql: string, given: readonly string[]) => Promise<unknown[]>>()

function isApart(dataSource: DataSource): dataSource is JoiningDataSource {
  return dataSource instanceof JoiningDataSource && dataSource.isOutside && gatheringOn(dataSource) === undefined
}

function writtenFor({ options }: DataSource, sql: string): string {
  if (options.type !== 'postgres') return sql
  let at = 0
  return sql.replaceAll('?', () => `$${(at += 1)}`)
}
