import { writeSync } from 'node:fs'
import { constants, open, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { settle, shortWrite } from './files.js'

/** A file that grows, and falls back to what is known to be on the disk. */
export interface JournalFile {
  /** Writes at the end. What it wrote when it fails is cut off by `cut`. */
  append(bytes: Uint8Array): Promise<void>
  /** Everything written is on the disk, or this fails and nobody knows what is. */
  sync(): Promise<void>
  /** Goes back to what was on the disk at the last `sync`. */
  cut(): Promise<void>
  close(): Promise<void>
}

/** @param whole - bytes of the file that count; it is made with the first that is written if there are none */
export function journalFile(path: string, whole: number): JournalFile {
  let handle: FileHandle | null = null
  let [written, synced] = [whole, whole]
  const opened = async (): Promise<FileHandle> => {
    if (handle !== null) return handle
    const made = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600)
    handle = made
    if (written === 0) await settle(dirname(path))
    return made
  }
  const close = async (): Promise<void> => {
    const before = handle
    handle = null
    await before?.close()
  }
  return {
    async append(bytes) {
      const { fd } = await opened()
      // into memory of the system and so quick; a thread to do it would cost twenty times the write
      if (writeSync(fd, bytes, 0, bytes.length, written) < bytes.length) throw shortWrite()
      written += bytes.length
    },
    async sync() {
      await (await opened()).datasync()
      synced = written
    },
    async cut() {
      // a handle whose sync failed once may say yes the next time without having done anything
      await close().catch(() => undefined)
      const file = await opened()
      await file.truncate(synced)
      await file.sync()
      await settle(dirname(path))
      written = synced
    },
    close,
  }
}
