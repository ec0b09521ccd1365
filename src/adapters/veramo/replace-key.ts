import type { IDIDManager, IKeyManager, TAgent } from '@veramo/core-types'
import type { Did } from '../../did/did.js'
import { nextStep, stageOf, type Step } from '../../did/replacement.js'
import { ProcuraError } from '../../errors.js'
import type { IssuingKeys, SigningKey, SigningKeys } from '../../ports/keys.js'
import type { Clock, Transactions } from '../../ports/world.js'
import { parsePublicKey } from '../../ed25519.js'
import type { Held, VeramoVault } from './vault.js'

type ReplacingAgent = Pick<TAgent<IDIDManager>, 'didManagerAddKey' | 'didManagerRemoveKey'> &
  Pick<TAgent<IKeyManager>, 'keyManagerCreate' | 'keyManagerGet' | 'keyManagerDelete'>

/** What replacing keys needs. */
export interface ReplacingPorts extends Transactions {
  readonly agent: ReplacingAgent
  readonly vault: VeramoVault
  readonly signingKeys: SigningKeys
  readonly clock: Clock
}

/** What was done, and what comes next. */
export interface Replaced {
  readonly done: Step['step'] | null
  readonly next: Step | null
}

/** Replaces the key of a did:web step by step (see {@link nextStep}). Every method throws NOT_FOUND, STORAGE_UNAVAILABLE. */
export interface KeyReplacement {
  /** The keys with their times, dropped ones too. */
  keys(did: Did): Promise<readonly SigningKey[]>
  /** Does the next step if it is due. After the last one, the next call begins anew. */
  proceed(did: Did): Promise<Replaced>
  /**
   * Makes a new key that signs at once, and drops all others at once: what they signed is refused by whoever reads the
   * document anew, and what the new one signs is refused by who has not yet.
   */
  emergency(did: Did): Promise<void>
}

/** Replaces keys of an agent's vault. Each call is one transaction: it takes effect whole, or not at all. */
export function keyReplacement(ports: ReplacingPorts): KeyReplacement {
  const { agent, vault, signingKeys, clock } = ports
  return {
    keys: async did => known(await heldOf(did)),
    proceed: did =>
      ports.transaction(async () => {
        const held = await heldOf(did)
        const { step, kid, due } = nextStep(await known(held), clock.now())
        if (due > clock.now()) return { done: null, next: { step, kid, due } }
        if (step === 'list') await list(held)
        else if (step === 'switch') await switchTo(held, kid ?? '')
        else await drop(held, kid ?? '')
        const next = nextStep(await signingKeys.of(did), clock.now())
        return { done: step, next: next.step === 'list' ? null : next }
      }),
    emergency: did =>
      ports.transaction(async () => {
        const held = await heldOf(did)
        await switchTo(held, await list(held))
        for (const { keyRef } of held.keys) await drop(held, keyRef)
      }),
  }

  async function heldOf(did: Did): Promise<Held> {
    const held = await vault.held(did)
    if (held === null) throw new ProcuraError('NOT_FOUND', { what: `key of ${did} here` })
    return held
  }

  /** A key that was never replaced has no row yet: it is listed and signs, since when nobody asked. */
  async function known({ did, keyRef }: Held): Promise<readonly SigningKey[]> {
    const rows = await signingKeys.of(did)
    const since = { listedAt: 0, currentAt: 0, retiredAt: null, droppedAt: null }
    return rows.some(one => one.kid === keyRef) ? rows : [...rows, { did, kid: keyRef, ...since }]
  }

  async function list(held: Held): Promise<string> {
    const { did } = held
    for (const key of await known(held)) await signingKeys.save(key)
    const { kms } = await agent.keyManagerGet({ kid: held.keyRef })
    const key = await agent.keyManagerCreate({ kms, type: 'Ed25519' })
    await agent.didManagerAddKey({ did, key })
    const times = { listedAt: clock.now(), currentAt: null, retiredAt: null, droppedAt: null }
    await signingKeys.save({ did, kid: key.kid, ...times })
    return key.kid
  }

  async function switchTo({ did }: Held, kid: string): Promise<void> {
    const now = clock.now()
    for (const key of await signingKeys.of(did)) {
      if (key.kid === kid) await signingKeys.save({ ...key, currentAt: now })
      else if (stageOf(key) === 'current') await signingKeys.save({ ...key, retiredAt: now })
    }
    await signingKeys.control(did, kid)
  }

  async function drop({ did }: Held, kid: string): Promise<void> {
    const row = (await signingKeys.of(did)).find(one => one.kid === kid)
    if (row !== undefined) await signingKeys.save({ ...row, droppedAt: clock.now() })
    await agent.didManagerRemoveKey({ did, kid })
    await agent.keyManagerDelete({ kid })
  }
}

const HEX_KEY = /^[0-9a-f]{64}$/

/** The keys of a did:web that issues here, as they stand each time. */
export function issuingKeys(
  did: Did,
  { vault, signingKeys }: Pick<ReplacingPorts, 'vault' | 'signingKeys'>,
): IssuingKeys {
  return {
    did,
    async signer() {
      const signer = await vault.signer(did)
      if (signer === null) throw new ProcuraError('NOT_FOUND', { what: `key of ${did} here` })
      return signer
    },
    async listed() {
      const held = await vault.held(did)
      return (held?.keys ?? []).map(({ kid, publicKey }) => ({ kid, key: publicKey }))
    },
    async find(kid) {
      const held = await vault.held(did)
      const listed = held?.keys.find(one => one.kid === kid)
      if (listed !== undefined) return { key: listed.publicKey, isListed: true }
      const hex = kid.slice(did.length + 1)
      if (kid !== `${did}#${hex}` || !HEX_KEY.test(hex)) return null
      const former = (await signingKeys.of(did)).some(one => one.kid === hex)
      return former ? { key: parsePublicKey(Buffer.from(hex, 'hex'), kid), isListed: false } : null
    },
  }
}
