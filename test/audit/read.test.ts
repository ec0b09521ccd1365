import { mkdir, mkdtemp, rm, symlink, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { onTestFinished, expect, test } from 'vitest'
import { journalPath } from '../../src/adapters/audit/files.js'
import { look } from '../../src/adapters/audit/read.js'
import { recordAt, signer, writeLog } from './log-on-disk.js'

/** A log of 300 records, and a journal that is listed and cannot be read: it goes into tiles at this moment. */
async function logInMotion(): Promise<{ readonly folder: string; readonly journal: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'procura-read-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  writeLog(
    folder,
    Array.from({ length: 300 }, (_, n) => recordAt(n)),
    [300],
  )
  const journal = journalPath(folder, 300)
  await mkdir(join(folder, 'journal'), { recursive: true })
  await symlink(join(folder, 'nowhere'), journal)
  return { folder, journal }
}

test('a journal that goes into tiles while a reader looks: it looks again', async () => {
  const { folder, journal } = await logInMotion()
  const looking = look(folder, signer)
  await setTimeout(60)
  await unlink(journal)
  expect((await looking).tree.size).toBe(300)
})

test('one that stays unreadable is a log that is not whole', async () => {
  const { folder } = await logInMotion()
  await expect(look(folder, signer)).rejects.toMatchObject({ code: 'AUDIT_BROKEN' })
})
