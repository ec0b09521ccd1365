import { access, constants, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { readKeyFile } from '../adapters/veramo/key-file.js'
import { keySource } from '../adapters/veramo/key-source.js'
import { markerOf, type Config } from './config.js'
import { refusalAt, type Looking } from './config-report.js'

/** Key files that others can read, databases that others can, and folders that cannot be written. What is missing is made later. */
export async function checkFiles(looking: Looking): Promise<void> {
  const { known, environment, report } = looking
  const { keyFile, operator, storage, audit = [] } = known
  const database = sqlitePath(storage)
  const wallet = sqlitePath(operator)
  // a command may ask a key service, which is no check
  if (keyFile !== undefined && !keyFile.startsWith('command:')) {
    await attempt('keyFile', () => keySource(keyFile, environment).read())
  }
  if (wallet !== null) await attempt('operator', () => readKeyFile(`${wallet}.key`))
  for (const folder of audit) await attempt('audit', () => readKeyFile(`${folder}.key`))
  for (const [name, path] of [['storage', database] as const, ['operator', wallet] as const]) {
    if (path !== null) await requirePrivate(path, name)
  }
  if (database !== null) await requireWritable(database, 'storage')
  if (wallet !== null) await requireWritable(wallet, 'operator')
  for (const folder of audit) await requireWritable(folder, 'audit', true)
  if (audit.length > 0)
    await requireWritable(markerOf(known as Config), known.marker === undefined ? 'audit' : 'marker')
  if (keyFile !== undefined && !/^(?:env|command):/.test(keyFile)) await requireWritable(keyFile, 'keyFile')

  async function attempt(name: keyof Config, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      report(refusalAt(['procura', name], error))
    }
  }

  async function requirePrivate(path: string, name: keyof Config): Promise<void> {
    const mode = (await stat(path).catch(() => null))?.mode ?? 0
    if ((mode & 0o077) === 0) return
    report({
      level: 'warning',
      at: ['procura', name],
      code: 'CONFIG_INVALID',
      why: `${path} can be used by others (mode 0${(mode & 0o777).toString(8)})`,
      remedy: 'chmod 600 it',
    })
  }

  /** Of what is not there yet, the folder in which it will be made. */
  async function requireWritable(path: string, name: keyof Config, isFolder = false): Promise<void> {
    const found = await nearest(path)
    const isThere = found.path === resolve(path)
    const fault = (why: string, remedy: string): void =>
      report({ level: 'error', at: ['procura', name], code: codeOf(name), why: `${found.path} ${why}`, remedy })
    if (isThere && found.isFolder !== isFolder) {
      fault(isFolder ? 'is no folder' : 'is a folder', 'name another path')
    } else if (!isThere && !found.isFolder) fault('is no folder', 'name a path in a folder')
    else if (!(await isWritable(found.path, found.isFolder))) {
      fault('cannot be written by this user', 'give it to the user that the service runs as')
    }
  }
}

function codeOf(name: keyof Config): 'AUDIT_UNAVAILABLE' | 'KEY_FILE' | 'STORAGE_UNAVAILABLE' {
  if (name === 'audit') return 'AUDIT_UNAVAILABLE'
  return name === 'keyFile' ? 'KEY_FILE' : 'STORAGE_UNAVAILABLE'
}

async function isWritable(path: string, isFolder: boolean): Promise<boolean> {
  const asked = isFolder ? constants.W_OK | constants.X_OK : constants.W_OK | constants.R_OK
  return access(path, asked).then(
    () => true,
    () => false,
  )
}

/** The path, or the nearest folder above it that is there. */
async function nearest(path: string): Promise<{ readonly path: string; readonly isFolder: boolean }> {
  const whole = resolve(path)
  const found = await stat(whole).catch(() => null)
  if (found !== null) return { path: whole, isFolder: found.isDirectory() }
  return dirname(whole) === whole ? { path: whole, isFolder: false } : nearest(dirname(whole))
}

function sqlitePath(storage: string | undefined): string | null {
  return /^sqlite:\/\/(.+)$/s.exec(storage ?? '')?.[1] ?? null
}
