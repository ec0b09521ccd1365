import type { PublicKey } from '../../src/ed25519.js'
import { MALLORY, NOW } from './cast.js'
import type { Breaker } from './edit.js'
import { at, textOf } from './scene.js'

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
  const bounds = scene.links.flatMap(({ claims }) => [
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
  const { links, lists, policy, holders } = scene
  const root = links[0]!.signer
  const needed = [
    ...(policy.roots.get(root.did)?.keys === null ? [root] : []),
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

/** Somebody with the right to do so has pushed that a link is taken back. */
export const pushed: Breaker = (random, { links }) => {
  const revoked = random.int(0, links.length - 1)
  return { place: 'event', detail: `link ${revoked}`, revoked, forged: true }
}
