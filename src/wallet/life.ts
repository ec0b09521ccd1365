import { ProcuraError } from '../errors.js'
import type { Did } from '../did/did.js'
import type { KeyHolder } from '../ports/keys.js'
import type { UnixSeconds } from '../time.js'
import type { WalletPorts } from './wallet.js'

/** An agent's key, as long as the agent lives. */
export interface Life {
  /** Signs; throws AGENT_ENDED from the end on, wherever the program kept it. */
  readonly holder: KeyHolder
  /** `null`: no end is set */
  readonly endsAt: UnixSeconds | null
  /** @throws AGENT_ENDED */
  requireAlive(): Promise<void>
  /** Ends the agent. Ending twice is the same as once. */
  readonly end: () => Promise<void>
}

/** The life of an agent whose key is in the vault. */
export function createLife(key: KeyHolder, endsAt: UnixSeconds | null, ports: WalletPorts): Life {
  const { did } = key
  const ended = (): ProcuraError => new ProcuraError('AGENT_ENDED', { did })
  let isOver = false
  const requireTime = (): void => {
    if (isOver || (endsAt !== null && ports.clock.now() >= endsAt)) throw ended()
  }
  async function requireAlive(): Promise<void> {
    requireTime()
    if ((await ports.vault.find(did)) === null) throw ended()
  }
  return {
    endsAt,
    requireAlive,

    holder: {
      ...key,
      async sign(data) {
        requireTime()
        try {
          return await key.sign(data)
        } catch (error) {
          // another program on the same storage may have ended it
          await requireAlive()
          throw error
        }
      },
    },

    async end() {
      isOver = true
      await endAgent(did, ports)
    },
  }
}

/**
 * Destroys an agent's keys and forgets what it holds. What it handed on stays: its parent's credentials can still be
 * revoked by whoever gave them.
 */
export async function endAgent(did: Did, ports: WalletPorts): Promise<void> {
  await ports.transaction(async () => {
    await ports.holdings.drop(did)
    await ports.lifetimes.drop(did)
    // last: a vault with storage of its own cannot be undone
    await ports.vault.destroy(did)
  })
}
