import { onTestFinished } from 'vitest'
import { noLeases } from '../../src/adapters/client/service.js'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { systemIds } from '../../src/adapters/system.js'
import { createVeramoAgent } from '../../src/adapters/veramo/agent.js'
import { readAgentFile } from '../../src/adapters/veramo/agent-file.js'
import { veramoVault, type VeramoVault } from '../../src/adapters/veramo/vault.js'
import type { Authority } from '../../src/authority/authority.js'
import type { Grant } from '../../src/authority/grant.js'
import { createWallet, type Agent, type TrustedRoots, type Wallet, type WalletPorts } from '../../src/wallet/wallet.js'
import { mint, NOW, owner, SELF, world, type Minted } from '../mint.js'
import { AGENT_YML, registryOf } from '../veramo/world.js'

/** A wallet on SQLite whose clock stands until it is moved. */
export interface Scene {
  readonly wallet: Wallet
  readonly store: Store
  readonly vault: VeramoVault
  readonly clock: { seconds: number }
  /** another wallet on the same storage */
  readonly again: (roots?: TrustedRoots, ports?: Partial<WalletPorts>) => Wallet
}

export const ROOTS: TrustedRoots = new Map([[owner.did, { keys: null }]])

export async function openScene(overrides: Partial<WalletPorts> = {}): Promise<Scene> {
  const store = await openStore('sqlite::memory:')
  onTestFinished(() => store.close())
  const agent = await createVeramoAgent(await readAgentFile(AGENT_YML, {}), await registryOf(store))
  const vault = veramoVault(agent, store)
  const { keys } = await world()
  const clock = { seconds: NOW }
  const again = (roots = ROOTS, ports: Partial<WalletPorts> = {}): Wallet =>
    createWallet(roots, {
      ...store,
      clock: { now: () => clock.seconds },
      ids: systemIds,
      keys,
      vault,
      leases: noLeases,
      ...overrides,
      ...ports,
    })
  return { wallet: again(), store, vault, clock, again }
}

/** A grant without arguments below the test's API. */
export function grant(path: string, ...actions: string[]): Pick<Grant, 'resource' | 'actions'> {
  return { resource: `${SELF}${path}` as Grant['resource'], actions }
}

/** Gives an agent a root. */
export async function give(
  agent: Agent,
  grants: readonly Grant[],
  { until = 1800, ...authority }: Partial<Authority> & { readonly until?: number } = {},
): Promise<Minted> {
  const root = await mint({ signer: owner, to: agent.holder, until, authority: { grants, ...authority } })
  await agent.receive(root.token)
  return root
}

/** A request that an agent of the tests is about to send. */
export function call(action: string, path: string) {
  const url = `${SELF}${path}`
  return { method: 'POST', url, bodyDigest: null, action, resource: url, params: {}, audience: SELF }
}

/** Digest of the leaf that a presentation shows. */
export function leafOf(presentation: string): string {
  const { verifiableCredential } = JSON.parse(
    Buffer.from(presentation.split('.')[1] ?? '', 'base64url').toString(),
  ) as {
    verifiableCredential: readonly { id: string }[]
  }
  return verifiableCredential.at(-1)?.id.slice('data:application/vc+jwt,'.length) ?? ''
}
