import type { SigningKey } from '../ports/keys.js'
import type { UnixSeconds } from '../time.js'

/** A key is listed this long before it signs: twice what a verifier may rely on an older document, in seconds. */
export const LISTED_BEFORE = 600
/** A key stays listed this long after it last signed: the longest life of a root (24 h), and as long again as before. */
export const LISTED_AFTER = 86_400 + LISTED_BEFORE

/** Where a key stands. */
export type KeyStage = 'listed' | 'current' | 'retiring' | 'dropped'

/** What is to be done next, and from when on it may be. */
export interface Step {
  readonly step: 'list' | 'switch' | 'drop'
  /** the key it is about; `null` for one that is to be made */
  readonly kid: string | null
  readonly due: UnixSeconds
}

/** Where a key stands, by its times. */
export function stageOf({ currentAt, retiredAt, droppedAt }: SigningKey): KeyStage {
  if (droppedAt !== null) return 'dropped'
  if (retiredAt !== null) return 'retiring'
  return currentAt === null ? 'listed' : 'current'
}

/**
 * The next step of replacing the key of a did:web: list a new one, wait until every verifier knows it, switch to it, wait
 * until nothing that the old one signed is alive, drop the old one. So no signature is ever made by a key that a verifier
 * might not know yet, or does not know any more.
 */
export function nextStep(keys: readonly SigningKey[], now: UnixSeconds): Step {
  for (const { kid, ...times } of keys) {
    if (stageOf({ kid, ...times }) === 'retiring') {
      return { step: 'drop', kid, due: (times.retiredAt ?? now) + LISTED_AFTER }
    }
  }
  const listed = keys.find(key => stageOf(key) === 'listed')
  if (listed !== undefined) return { step: 'switch', kid: listed.kid, due: listed.listedAt + LISTED_BEFORE }
  return { step: 'list', kid: null, due: now }
}
