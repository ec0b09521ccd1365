import { ProcuraError } from '../errors.js'
import { fromBase64, openNote, signNote, type NoteKey, type NoteSigner } from './note.js'
import { HASH_BYTES, type Hash } from './tree.js'

/** How far a log is, and the root of all its records. */
export interface Checkpoint {
  /** names the log */
  readonly origin: string
  /** records */
  readonly size: number
  readonly root: Hash
}

const SIZE = /^(?:0|[1-9]\d{0,15})$/

/** Writes a checkpoint and signs it. @see https://c2sp.org/tlog-checkpoint#note-text */
export function signCheckpoint({ origin, size, root }: Checkpoint, signer: NoteSigner): string {
  return signNote(`${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`, signer)
}

/** Reads a checkpoint that one of the keys signed; it is a log's own, so the name of the key is the log's. @throws AUDIT_BROKEN */
export function openCheckpoint(bytes: Uint8Array, key: NoteKey): Checkpoint {
  const checkpoint = parseCheckpoint(openNote(bytes, [key]))
  if (checkpoint.origin !== key.name) throw malformed(`it is one of ${checkpoint.origin}`)
  return checkpoint
}

/** Reads the text of a checkpoint, whose signature is verified already. Lines after the third are not read. @throws AUDIT_BROKEN */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = '', size = '', base64 = ''] = text.split('\n')
  const root = fromBase64(base64)
  if (origin === '' || !SIZE.test(size) || !Number.isSafeInteger(Number(size)) || root?.length !== HASH_BYTES) {
    throw malformed('origin, size or root is not as it should be')
  }
  return { origin, size: Number(size), root }
}

function malformed(why: string): ProcuraError {
  return new ProcuraError('AUDIT_BROKEN', { why: `the checkpoint: ${why}` })
}
