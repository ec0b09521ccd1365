import { open, realpath, rename, stat, unlink } from 'node:fs/promises'
import { isMap, isSeq, parseDocument, type Document } from 'yaml'
import { ProcuraError } from '../../errors.js'
import { readText } from './yaml-file.js'

/**
 * Changes an agent file where it stands; comments and layout stay, and whoever reads it sees the one or the other. Of
 * several who edit at once one goes on.
 *
 * @param edit - changes the document in place
 * @param check - is shown the text before and after; what it throws leaves the file as it was
 * @throws CONFIG_INVALID - it cannot be read or written, or another one edits it
 */
export async function editAgentFile(
  path: string,
  edit: (document: Document) => void,
  check: (before: string, after: string) => Promise<void>,
): Promise<void> {
  const file = await realpath(path).catch(() => path)
  const draft = `${file}.new`
  const handle = await open(draft, 'wx', 0o600).catch((cause: unknown) => {
    throw refused(path, draft, cause)
  })
  try {
    const before = await readText(file)
    const after = edited(before, edit)
    await check(before, after)
    await handle.writeFile(after)
    await handle.chmod((await stat(file)).mode & 0o777)
    await handle.sync()
    await rename(draft, file)
  } catch (error) {
    await unlink(draft)
    throw error
  } finally {
    await handle.close()
  }
}

/** A text of an agent file, changed. */
export function edited(text: string, edit: (document: Document) => void): string {
  const document = parseDocument(text, { version: '1.2', schema: 'core', stringKeys: true })
  edit(document)
  return document.toString({ lineWidth: 0 })
}

/** Adds an entry to the list at a place, and makes the list if there is none. */
export function addEntry(document: Document, at: readonly string[], entry: object): void {
  const list = document.getIn(at)
  if (!isSeq(list)) {
    document.setIn(at, document.createNode([entry]))
    return
  }
  // `[]` becomes lines
  if (list.items.length === 0) list.flow = false
  list.add(document.createNode(entry))
}

/** Takes the entries of a name out of the list at a place. */
export function removeEntry(document: Document, at: readonly string[], name: string): void {
  const list = document.getIn(at)
  if (!isSeq(list)) return
  list.items = list.items.filter(item => !isMap(item) || item.get('name') !== name)
  if (list.items.length === 0) list.flow = true
}

function refused(path: string, draft: string, cause: unknown): ProcuraError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  const why =
    code === 'EEXIST'
      ? `is being edited by somebody else; if nobody does, remove ${draft}`
      : `cannot be changed (${code}); let this user write its folder`
  return new ProcuraError('CONFIG_INVALID', { at: path, why }, { cause })
}
