import { readFile, stat } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseConnect, type Connect } from '../adapters/resolve/connect.js'
import { createFetch, type StreamingFetch } from '../adapters/resolve/fetch.js'
import { createKeys, type ResolvedKeys } from '../adapters/resolve/keys.js'
import { createStatusLists, type CachedStatusLists } from '../adapters/resolve/status-lists.js'
import type { Hosted } from '../adapters/resolve/documents.js'
import { ProcuraDidStore, ProcuraKeyStore } from '../adapters/store/identifiers.js'
import { openStore, type Store } from '../adapters/store/store.js'
import { singleProcessState } from '../adapters/state/memory.js'
import { systemClock, systemIds } from '../adapters/system.js'
import type { AgentFile } from '../adapters/veramo/agent-file.js'
import { createVeramoAgent, type VeramoAgent } from '../adapters/veramo/agent.js'
import { openKeyRing, openPassingRing } from '../adapters/veramo/key-ring.js'
import { keySource } from '../adapters/veramo/key-source.js'
import { ProcuraKeyManagementSystem } from '../adapters/veramo/kms.js'
import { VcJoseProvider, type VcJoseOptions } from '../adapters/veramo/provider.js'
import { veramoVault, type VeramoVault } from '../adapters/veramo/vault.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import { isObject, parseJson, type JsonObject } from '../json.js'
import { MAX_STATUS_AGE } from '../policy/policy.js'

/** The `agent.yml` of the package. */
export const AGENT_FILE = fileURLToPath(new URL('../../agent.yml', import.meta.url))

/** What reaches other machines. */
export interface Network {
  readonly keys: ResolvedKeys
  readonly statusLists: CachedStatusLists
  readonly fetch: StreamingFetch
  /** where an https origin is reached: itself, or what `connect` names */
  readonly reach: (origin: string) => string
  close(): Promise<void>
}

/** @param connect - https origin → address; the only way to a loopback listener */
export function openNetwork(connect: Connect, hosted?: Hosted): Network {
  const fetch = createFetch({ connect })
  const exceptions = parseConnect(connect)
  return {
    keys: createKeys({ fetch, clock: systemClock, hosted }),
    statusLists: createStatusLists({ fetch, clock: systemClock }),
    fetch,
    reach: origin => exceptions.get(origin) ?? origin,
    close: () => fetch.close(),
  }
}

/** Storage, and the agent whose keys are in it. */
export interface Home {
  readonly store: Store
  readonly agent: VeramoAgent
  readonly vault: VeramoVault
  close(): Promise<void>
}

/** Where an agent lives. */
export interface HomeOptions {
  readonly file: AgentFile
  /** `sqlite://path`, `sqlite::memory:` or `postgres://…` */
  readonly storage: string
  /** path, `env:NAME` or `command:…`, see {@link keySource}; not read for a store in memory, whose keys end with it */
  readonly keyFile: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly network: Network
  /** bits of the status lists opened from now on */
  readonly listLength?: number
}

/**
 * Opens storage and the Veramo agent over it. A database and its key file belong together: the store remembers which
 * key it was made with, so a missing or foreign key file stops the start before anything is written under it.
 *
 * @throws CONFIG_INVALID, STORAGE_UNAVAILABLE, KEY_FILE
 */
export async function openHome({
  file,
  storage,
  keyFile,
  environment,
  network,
  listLength,
}: HomeOptions): Promise<Home> {
  const store = await openStore(storage, listLength)
  try {
    const { sealedKeys } = store
    const ring =
      storage === 'sqlite::memory:'
        ? await openPassingRing(sealedKeys)
        : await openKeyRing(keySource(keyFile, environment), sealedKeys)
    const agent = await createVeramoAgent(file, {
      'procura/veramo': {
        dataSource: () => store.dataSource,
        sealedKeys: () => sealedKeys,
        keyRing: () => ring,
        ProcuraDidStore,
        ProcuraKeyStore,
        ProcuraKeyManagementSystem,
        resolver: () => network.keys.methods,
        trust: () => trustNobody(network),
        VcJoseProvider,
      },
    })
    return { store, agent, vault: veramoVault(agent, store), close: () => store.close() }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** A home verifies for nobody: `agent.verifyPresentation` of its agent refuses every root. */
function trustNobody({ keys, statusLists }: Network): VcJoseOptions {
  return {
    policy: {
      self: 'urn:procura:home',
      maxChain: 5,
      subjectKeyBinding: 'cnf+did',
      roots: new Map(),
      risk: new Map(),
      maxStatusAge: MAX_STATUS_AGE,
      feeds: [],
      identity: { leaf: null, every: null },
      identityIssuers: new Set(),
      provenance: 'none',
      challenge: null,
      approval: null,
      commit: null,
      version: 'none',
    },
    ports: {
      clock: systemClock,
      ids: systemIds,
      keys,
      statusLists,
      streams: { isHealthy: () => false },
      ...singleProcessState(systemClock, systemIds),
      audit: { record: () => Promise.resolve() },
    },
  }
}

/** Largest policy, in bytes. */
const MAX_JSON = 4 * 1024 * 1024

/** Reads a file that holds one JSON object. @throws CONFIG_INVALID - names the file */
export async function readJsonFile(path: string): Promise<JsonObject> {
  let bytes: Uint8Array
  try {
    const { size } = await stat(path)
    if (size > MAX_JSON)
      throw new ProcuraError('CONFIG_INVALID', { at: path, why: `has ${size} bytes; shorten it to ${MAX_JSON}` })
    bytes = await readFile(path)
  } catch (cause) {
    if (isProcuraError(cause)) throw cause
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError('CONFIG_INVALID', { at: path, why: `cannot be read (${code})` }, { cause })
  }
  const { value } = parseJson(bytes, path)
  if (!isObject(value)) throw new ProcuraError('CONFIG_INVALID', { at: path, why: 'is not a JSON object' })
  return value
}
