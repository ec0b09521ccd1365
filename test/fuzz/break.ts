import { askedAnew, receivedUntyped, theAsked } from './break-asked.js'
import { killed, revoked } from './break-events.js'
import { anIdentity, identityNames, identityTimes, misplaced, vouchedOtherwise } from './break-identities.js'
import { aLink, entryAway, handedOn, linkNames, linkTimes, order } from './break-links.js'
import { aList, listAge } from './break-lists.js'
import {
  approvalTimes,
  shownChain,
  shownOtherwise,
  shownTimes,
  shownUntyped,
  theApproval,
  theShown,
} from './break-shown.js'
import { widened } from './break-wider.js'
import { clock, document, replay, unreserved } from './break-world.js'
import type { Break, Breaker } from './edit.js'
import type { Random } from './random.js'
import type { Scene } from './scene.js'

const BREAKERS: readonly [number, Breaker][] = [
  [34, aLink],
  [8, widened],
  [5, linkTimes],
  [4, linkNames],
  [1, handedOn],
  [5, order],
  [14, theShown],
  [2, shownTimes],
  [1, shownChain],
  [2, shownOtherwise],
  [1, shownUntyped],
  [5, theApproval],
  [1, approvalTimes],
  [8, aList],
  [1, listAge],
  [5, theAsked],
  [5, askedAnew],
  [2, receivedUntyped],
  [2, replay],
  [2, clock],
  [3, entryAway],
  [1, document],
  [2, killed],
  [2, revoked],
  [7, anIdentity],
  [2, identityNames],
  [1, identityTimes],
  [2, vouchedOtherwise],
  [1, misplaced],
  [1, unreserved],
]
const ALL = BREAKERS.flatMap(([weight, breaker]) => Array.from({ length: weight }, () => breaker))

/** Picks one thing to break, and now and then a verifier that knows the unbroken one already. */
export function breakOne(random: Random, scene: Scene, others: readonly Scene[]): Break {
  for (;;) {
    const found = random.pick(ALL)(random, scene, others)
    if (found !== null) return { ...found, isWarm: random.chance(0.1) }
  }
}
