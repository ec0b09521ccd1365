import type { Checkpoint } from '../../audit/checkpoint.js'
import { formatKey, type NoteKey } from '../../audit/note.js'
import type { Hash } from '../../audit/tree.js'
import { ProcuraError } from '../../errors.js'
import type { Json } from '../../json.js'
import type { ProvingLog } from './proofs.js'

/** What goes into a bundle. */
export interface BundleParts {
  /** numbers of records; `null` for the whole log */
  readonly indexes: Iterable<number> | null
  /** checkpoints that were taken before, with which the log is shown to be consistent */
  readonly earlier: readonly Checkpoint[]
  /** policies by their version, for who reads the decisions */
  readonly policies: Readonly<Record<string, Json>>
}

/** Names the form of a bundle. */
export const BUNDLE = 'procura-audit-bundle/1'

/**
 * What an auditor takes away and checks offline, a JSON text a line: first the key, the checkpoint and the policies, then
 * records as they are in the log, and how many there are. Of a whole log the records prove themselves; of single ones each
 * comes with its proof. A record whose content was pruned is there by its hash.
 *
 * @throws NOT_FOUND, AUDIT_BROKEN
 */
export async function* bundleOf(
  log: ProvingLog,
  key: NoteKey,
  { indexes, earlier, policies }: BundleParts,
): AsyncGenerator<string> {
  const { size } = log.checkpoint
  const consistency: object[] = []
  for (const one of earlier) {
    if (one.size > size) throw new ProcuraError('AUDIT_BROKEN', { why: `it had ${one.size} records, and has ${size}` })
    consistency.push({ size: one.size, root: base64(one.root), proof: (await log.consistency(one.size)).map(base64) })
  }
  const whole = indexes === null
  yield JSON.stringify({ bundle: BUNDLE, key: formatKey(key), checkpoint: log.note, whole, consistency, policies })
  let records = 0
  for (const index of indexes ?? numbersBelow(size)) {
    const entry = await log.entry(index)
    const record =
      entry === null ? { hash: base64(await log.leaf(index)) } : { record: Buffer.from(entry).toString('utf8') }
    const proof = whole ? {} : { proof: (await log.inclusion(index)).map(base64) }
    yield JSON.stringify({ index, ...record, ...proof })
    records += 1
  }
  yield JSON.stringify({ records })
}

function* numbersBelow(size: number): Generator<number> {
  for (let index = 0; index < size; index += 1) yield index
}

function base64(hash: Hash): string {
  return Buffer.from(hash).toString('base64')
}
