import type { PublicKey } from '../../src/ed25519.js'
import { MALLORY, NOW } from './cast.js'
import type { Breaker } from './edit.js'
import { isRead } from './identities.js'
import { at, isAsked, textOf } from './scene.js'

export const replay: Breaker = (random, scene) => {
  const fresh = random.chance(0.5)
  const times = fresh ? random.int(2, 6) : 2
  return {
    place: fresh ? 'again, fresh' : 'again',
    detail: `${times} ${scene.inline ? 'inline' : 'proof'}`,
    again: { times, fresh },
    forged: !fresh,
  }
}

export const clock: Breaker = (random, scene) => {
  const dated = [...scene.links, ...(isRead(scene) ? scene.identities : [])]
  const bounds = dated.flatMap(({ claims }) => [
    Number(at(claims, 'exp')),
    Date.parse(textOf(at(claims, 'validFrom'))) / 1000 - 30,
  ])
  const shown = scene.shown.claims
  const near = [...bounds, Number(at(shown, 'exp')) + 30, Number(at(shown, 'iat')) - 30]
  const now = random.pick(near) + random.pick([-2, -1, 0, 1])
  return { place: 'clock', detail: `NOW${now - NOW}`, now }
}

/** Documents that a decision rests on lose the key, have another one, or are out of reach. */
export const document: Breaker = (random, scene) => {
  const { links, lists, policy, holders, identities } = scene
  const root = links[0]!.signer
  const needed = [
    // keys that the policy states are looked up nowhere
    ...[root, ...(isRead(scene) ? identities.map(({ signer }) => signer) : [])].filter(
      ({ did }) => (policy.roots.get(did)?.keys ?? null) === null,
    ),
    ...(policy.subjectKeyBinding === 'cnf+did' ? holders : []),
    ...[...lists.values()].map(({ signer }) => signer),
    ...(scene.approval === null ? [] : [scene.approval.signer]),
  ].filter(({ did }) => did.startsWith('did:web:'))
  if (needed.length === 0) return null
  const { did } = random.pick(needed)
  const [way, key] = random.pick<[string, PublicKey | null | 'gone']>([
    ['gone', 'gone'],
    ['without key', null],
    ['with another key', MALLORY.publicKey],
  ])
  return { place: `document ${way}`, detail: did, document: { did, key }, forged: true }
}

/** The server is about to act without a commit point, where the policy wants one. */
export const unreserved: Breaker = (_random, scene) => {
  if (!isAsked(scene.asks.commit, scene, scene.asked.action)) return null
  return { place: 'not reserved', detail: scene.asked.action, reserve: false, due: 'COMMIT_REQUIRED', forged: true }
}
