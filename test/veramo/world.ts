import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { Identifier, Key } from '@veramo/data-store'
import { expect, onTestFinished } from 'vitest'
import type { Did } from '../../src/did/did.js'
import { isProcuraError } from '../../src/errors.js'
import { createMethods } from '../../src/adapters/resolve/methods.js'
import { ProcuraDidStore, ProcuraKeyStore } from '../../src/adapters/store/identifiers.js'
import { SealedKeyTable } from '../../src/adapters/store/key-entities.js'
import { openStore, type Store } from '../../src/adapters/store/store.js'
import { createVeramoAgent, type Registry, type VeramoAgent } from '../../src/adapters/veramo/agent.js'
import { readAgentFile } from '../../src/adapters/veramo/agent-file.js'
import { openKeyRing } from '../../src/adapters/veramo/key-ring.js'
import { keySource } from '../../src/adapters/veramo/key-source.js'
import { ProcuraKeyManagementSystem } from '../../src/adapters/veramo/kms.js'
import { VcJoseProvider, type VcJoseOptions } from '../../src/adapters/veramo/provider.js'
import { veramoVault, type VeramoVault } from '../../src/adapters/veramo/vault.js'

export const AGENT_YML = join(import.meta.dirname, '../../agent.yml')
export const WEB: Did = 'did:web:procura.example'
export const SECRET = '5ca1ab1e0ddba11ca75ea7f100dcafe5bedfaced1deadbeefc0ffeeba5eba11f'

export const OTHER = '0ff1ce5ca1ab1e0ddba11ca75ea7f100dcafe5bedfaced1deadbeefc0ffeeba5'

/** A folder that is gone after the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'procura-veramo-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Writes a file into a fresh folder and says where it is. */
export function file(content: string | Uint8Array, name = 'agent.yml'): string {
  const path = join(folder(), name)
  writeFileSync(path, content)
  return path
}

/** What the program brings to `agent.yml`. */
export async function registryOf({ dataSource, sealedKeys }: Store, secret = SECRET): Promise<Registry> {
  const ring = await openKeyRing(keySource('env:KEY', { KEY: secret }), sealedKeys)
  const documents = { read: () => Promise.reject(new Error('no network here')) }
  return {
    'procura/veramo': {
      dataSource: () => dataSource,
      sealedKeys: () => sealedKeys,
      keyRing: () => ring,
      ProcuraDidStore,
      ProcuraKeyStore,
      ProcuraKeyManagementSystem,
      resolver: () => createMethods(documents as never),
      trust: (): VcJoseOptions => ({ policy: {}, ports: {} }) as VcJoseOptions,
      VcJoseProvider,
    },
  }
}

export interface World {
  readonly store: Store
  readonly agent: VeramoAgent
  readonly vault: VeramoVault
}

/** The shipped agent.yml on a SQLite file. */
export async function openWorld(path = join(folder(), 'test.db'), secret = SECRET): Promise<World> {
  const store = await openStore(`sqlite://${path}`)
  onTestFinished(() => store.close())
  const agent = await createVeramoAgent(await readAgentFile(AGENT_YML, {}), await registryOf(store, secret))
  return { store, agent, vault: veramoVault(agent, store) }
}

/** The message with the folder cut off: `agent.yml:3 procura.x: why`. */
export async function refusal(path: string, env: Record<string, string> = {}): Promise<string> {
  try {
    await readAgentFile(path, env)
  } catch (error) {
    if (isProcuraError(error) && error.code === 'CONFIG_INVALID') {
      return error.message.replace(/^CONFIG_INVALID: /, '').replace(path, basename(path))
    }
    throw error
  }
  return 'read without complaint'
}

/** An agent file whose line 2 is the first given. */
export const yml = (...lines: string[]): string => file(['version: 3.0', ...lines].join('\n'))

/** Rows that a DID is made of. */
export async function counts({ dataSource }: Store) {
  const [dids, keys, privateKeys] = [Identifier, Key, SealedKeyTable].map(entity =>
    dataSource.getRepository(entity).count(),
  )
  return { dids: await dids, keys: await keys, privateKeys: await privateKeys }
}

/** Matches a refusal by its code. */
export const coded = (code: string) => expect.objectContaining({ code }) as Error
