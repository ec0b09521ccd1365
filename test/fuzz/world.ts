import { memoryLedger, memoryRevocations, memoryVersions } from '../../src/adapters/state/memory.js'
import { type Did, didOf, methodOf } from '../../src/did/did.js'
import { fromDidKey } from '../../src/did/key.js'
import type { PublicKey } from '../../src/ed25519.js'
import { ProcuraError } from '../../src/errors.js'
import type { Keys, Ledger } from '../../src/ports/deciding.js'
import type { VerifierPorts } from '../../src/verifier/verifier.js'
import { AGE, EVERYBODY, LISTS, NOW, VERSION, digestOfToken } from './cast.js'
import type { Break } from './edit.js'
import type { Prepared } from './prepare.js'
import type { Scene } from './scene.js'

const DOCUMENTS = new Map<Did, PublicKey>(EVERYBODY.map(({ did, publicKey }) => [did, publicKey]))

function keysOf(document: Break['document']): Keys {
  const listed = (did: Did): PublicKey | null => {
    if (methodOf(did) === 'key') return fromDidKey(did)
    const known = did === document?.did ? document.key : (DOCUMENTS.get(did) ?? 'gone')
    if (known === 'gone' || methodOf(did) !== 'web') {
      throw new ProcuraError('DID_RESOLUTION', { did, why: 'no such host' })
    }
    return known
  }
  return {
    all: did => Promise.resolve().then(() => [listed(did) ?? []].flat()),
    find: kid =>
      Promise.resolve().then(() => {
        const did = didOf(kid)
        const key = listed(did)
        const fragment = methodOf(did) === 'key' ? did.slice('did:key:'.length) : 'k1'
        return kid === `${did}#${fragment}` ? key : null
      }),
  }
}

/** What is around a verifier, and may change under it. */
export interface World {
  broken: Break
  prepared: Prepared
  ledger: Ledger
}

/** Nothing was used and nothing spent. */
export const freshLedger = (): Ledger => memoryLedger({ now: () => -Infinity }, { budgets: true })

/** Everything outside the verifier, as it is at the moment. All state is fresh; `audit` takes the records. */
export async function portsOf(
  scene: Scene,
  world: World,
  others: readonly Scene[],
  audit: object[],
): Promise<VerifierPorts> {
  const listVersions = memoryVersions()
  for (const [url, { signer }] of LISTS) await listVersions.raise(signer.did, url, VERSION)
  // kept are the broken chain, the unbroken one and those of others; of two by one name the broken one counts
  const foreign = others.filter(({ holders }) => holders.at(-1) !== scene.holders.at(-1)).map(one => one.tokens)
  const keys = (): Keys => keysOf(world.broken.document)
  return {
    clock: { now: () => world.broken.now ?? NOW },
    ids: { uuid: () => '0192f5c2-0000-4000-8000-000000000000', token: () => 'A'.repeat(22) },
    keys: { all: (...asked) => keys().all(...asked), find: (...asked) => keys().find(...asked) },
    statusLists: {
      read: url => {
        const snapshot = world.prepared.snapshots.get(url)
        return snapshot === undefined
          ? Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list: url, why: 'no such host' }))
          : Promise.resolve({ snapshot, age: world.broken.age ?? AGE })
      },
    },
    listVersions,
    revocations: memoryRevocations(),
    streams: { isHealthy: () => false },
    chains: {
      keep: () => Promise.resolve(),
      find: (...names) => {
        const kept = [world.prepared.tokens, scene.tokens, ...foreign]
        return Promise.resolve(kept.find(chain => digestOfToken(chain.at(-1) ?? '') === names.at(-1)) ?? null)
      },
    },
    nonces: {
      issue: () => Promise.resolve(''),
      consume: (...names) => Promise.resolve(names.at(-1) === scene.nonce),
      isOpen: (...names) => Promise.resolve(names.at(-1) === scene.nonce),
    },
    ledger: {
      settle: settlement => world.ledger.settle(settlement),
      probe: settlement => world.ledger.probe(settlement),
      held: (...names) => world.ledger.held(...names),
      close: (...names) => world.ledger.close(...names),
    },
    audit: { record: entry => Promise.resolve(void audit.push(entry)) },
  }
}
