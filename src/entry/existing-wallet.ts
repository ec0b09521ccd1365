import { stat } from 'node:fs/promises'
import { ProcuraError } from '../errors.js'
import type { Place } from './place.js'
import type { OpenWallet, WalletOptions } from './wallet.js'

/**
 * Opens a wallet that is there: a database with its key file. `openWallet` would make what is missing, and a person
 * who mistyped a path would be told that a new, empty wallet does not know them.
 *
 * @param storage - `sqlite://path`
 * @param place - the service it deals with, if any
 * @param roots - whose roots it takes; those of what it received before, unless said
 * @throws NOT_FOUND - and nothing was made; CONFIG_INVALID, STORAGE_UNAVAILABLE, KEY_FILE
 */
export async function openExistingWallet(
  storage: string,
  { service, connect }: Pick<Place, 'service' | 'connect'> = { service: null, connect: {} },
  roots: WalletOptions['roots'] = 'received',
): Promise<OpenWallet> {
  await requireWallet(storage)
  // loaded late: what is missing should be told at once
  const { openWallet } = await import('./wallet.js')
  return openWallet({ storage, roots, connect, ...(service === null ? {} : { service }) })
}

/** Requires a database of a wallet and its key file to be there. @throws NOT_FOUND, CONFIG_INVALID */
export async function requireWallet(storage: string): Promise<void> {
  const path = /^sqlite:\/\/(.+)$/s.exec(storage)?.[1]
  if (path === undefined) {
    throw new ProcuraError('CONFIG_INVALID', { at: 'wallet', why: 'not of the form sqlite://path/to/wallet.db' })
  }
  for (const [what, file] of [['wallet', path] as const, ['key file', `${path}.key`] as const]) {
    if (!(await isFile(file))) throw new ProcuraError('NOT_FOUND', { what: `${what} ${file}` })
  }
}

/** Requires a SQLite file to be there; whether a database server has ours is told when it is opened. @throws NOT_FOUND */
export async function requireDatabase(storage: string): Promise<void> {
  const path = /^sqlite:\/\/(.+)$/s.exec(storage)?.[1]
  if (path !== undefined && !(await isFile(path))) {
    throw new ProcuraError('NOT_FOUND', { what: `database ${path}` })
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() === true
}
