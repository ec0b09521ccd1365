import { isUtf8 } from 'node:buffer'
import type { IDIDManager, IIdentifier, IKeyManager, TAgent } from '@veramo/core-types'
import { didKeyUrl, toDidKey } from '../../did/key.js'
import { isAlias, isDid, isDidUrl, methodOf, type Did, type DidUrl } from '../../did/did.js'
import { isWebDid } from '../../did/web.js'
import { parsePublicKey, type PublicKey } from '../../ed25519.js'
import { fromBase64url } from '../../encoding.js'
import { isProcuraError, ProcuraError } from '../../errors.js'
import type { KeyHolder, Vault } from '../../ports/keys.js'
import type { Additions, Transactions } from '../../ports/world.js'

/** The verbs of the agent that are used here. */
export type VaultAgent = Pick<
  TAgent<IDIDManager>,
  'didManagerCreate' | 'didManagerDelete' | 'didManagerFind' | 'didManagerGet' | 'didManagerSetAlias'
> &
  Pick<TAgent<IKeyManager>, 'keyManagerSign'>

/** A key by the name it has in tokens and DID documents. */
export interface NamedKey {
  readonly kid: DidUrl
  readonly publicKey: PublicKey
  /** what Veramo's verbs call it */
  readonly keyRef: string
}

/** A DID whose key lives here. */
export interface Held extends NamedKey {
  readonly did: Did
  /** the DID itself for one that was made without an alias */
  readonly alias: string
  /** all keys of the DID, the current one first */
  readonly keys: readonly NamedKey[]
}

/** Signs as a DID whose key lives here. */
export type VaultSigner = KeyHolder & NamedKey

/**
 * Where DIDs and private keys live. Private keys do not leave it.
 *
 * A did:key names its key as its method says. A did:web names its keys as Veramo's own DID documents do: the fragment
 * is the key's `kid` in Veramo, which is the public key in hexadecimal digits for a local key. So a name never passes
 * from one key to another, and what other Veramo programs publish for the DID keeps fitting.
 */
export interface VeramoVault extends Vault {
  /**
   * Makes a did:key with a new Ed25519 key.
   *
   * @param alias - unique among all DIDs held here; 1 to 128 characters, no control characters, not `did:…`
   * @throws SCHEMA, KEY_EXISTS, STORAGE_UNAVAILABLE - then nothing was made, and a transaction around it is undone too
   */
  create(alias: string): Promise<VaultSigner>
  /**
   * Takes a did:web into use with a new Ed25519 key. Publishing its document is the caller's part.
   *
   * @param alias - as above; the name after `did:web:` must not be another DID's alias either
   * @throws SCHEMA, KEY_EXISTS, STORAGE_UNAVAILABLE - as above
   */
  createWebDid(did: Did, alias: string): Promise<VaultSigner>
  /**
   * By DID or alias, with its current key; `null` if no Ed25519 key of that name lives here.
   *
   * @throws STORAGE_UNAVAILABLE
   */
  find(name: string): Promise<VaultSigner | null>
  /** As {@link find}, for a DID. @throws STORAGE_UNAVAILABLE */
  signer(did: Did): Promise<VaultSigner | null>
  /** The DID with all its keys, or `null`. @throws STORAGE_UNAVAILABLE */
  held(did: Did): Promise<Held | null>
  /** All DIDs with an Ed25519 key here, by alias. @throws STORAGE_UNAVAILABLE */
  list(): Promise<readonly Held[]>
  /** The DID and its keys are gone for good. False if there is no such DID. @throws STORAGE_UNAVAILABLE */
  destroy(did: Did): Promise<boolean>
}

const WEB = 'did:web:'
const PUBLIC_KEY = /^[0-9a-f]{64}$/
const SIGNATURE_BYTES = 64
/** How `DIDManager` says that an alias is taken; it has looked for it already. */
const TAKEN = /^illegal_argument: Identifier with alias: .* already exists: (did:\S+)$/s
const NOT_FOUND = /^(?:Identifier not found$|not_found: )/

/**
 * The vault of an agent.
 *
 * @param database - the one that the agent's stores write to
 */
export function veramoVault(agent: VaultAgent, database: Transactions & Additions): VeramoVault {
  return {
    create: alias =>
      exclusively('adding', alias, () =>
        agent
          .didManagerCreate({ provider: 'did:key', alias, options: { keyType: 'Ed25519' } })
          .catch((cause: unknown) => {
            const [, other] = TAKEN.exec(cause instanceof Error ? cause.message : '') ?? []
            throw other === undefined ? cause : new ProcuraError('KEY_EXISTS', { did: other }, { cause })
          }),
      ),
    async createWebDid(did, alias) {
      if (!isDid(did) || !isWebDid(did)) throw new ProcuraError('SCHEMA', { at: 'did', why: 'is not a did:web' })
      const name = did.slice(WEB.length)
      return exclusively('transaction', alias, async () => {
        await requireFree(alias)
        // Veramo takes the name of a new did:web from its alias, and looks only for the alias
        if (alias !== name) await requireFree(name)
        if ((await byDid(did)) !== null) throw new ProcuraError('KEY_EXISTS', { did })
        const made = await agent.didManagerCreate({ provider: 'did:web', alias: name, options: { keyType: 'Ed25519' } })
        if (alias !== name) await agent.didManagerSetAlias({ did: made.did, alias })
        return { ...made, alias }
      })
    },
    async find(name) {
      const held = isDid(name) ? await byDid(name) : await byAlias(name)
      return held === null ? null : signerOf(held)
    },
    async signer(did) {
      const held = await byDid(did)
      return held === null ? null : signerOf(held)
    },
    held: byDid,
    destroy: did => database.transaction(async () => (await byDid(did)) !== null && agent.didManagerDelete({ did })),
    async list() {
      const all = (await agent.didManagerFind({})).map(heldOf).filter(held => held !== null)
      return all.sort((a, b) => a.alias.localeCompare(b.alias, 'en') || (a.did < b.did ? -1 : 1))
    },
  }

  async function exclusively(
    how: 'adding' | 'transaction',
    alias: string,
    create: () => Promise<IIdentifier>,
  ): Promise<VaultSigner> {
    if (!isAlias(alias)) {
      throw new ProcuraError('SCHEMA', {
        at: 'alias',
        why: 'is not 1 to 128 characters without control characters, or starts with did:',
      })
    }
    try {
      return await database[how](async () => {
        const held = heldOf(await create())
        if (held === null) throw new TypeError('the DID provider made no Ed25519 key')
        return signerOf(held)
      })
    } catch (cause) {
      if (isProcuraError(cause)) throw cause
      // where transactions run side by side, the loser learns it from a unique index
      const [other] = await agent.didManagerFind({ alias }).catch(() => [])
      throw other === undefined ? cause : new ProcuraError('KEY_EXISTS', { did: other.did }, { cause })
    }
  }

  async function requireFree(alias: string): Promise<void> {
    const [other] = await agent.didManagerFind({ alias })
    if (other !== undefined) throw new ProcuraError('KEY_EXISTS', { did: other.did })
  }

  async function byDid(did: Did): Promise<Held | null> {
    try {
      return heldOf(await agent.didManagerGet({ did }))
    } catch (error) {
      // stores have no other way to say no, and each words it in its own
      if (error instanceof Error && NOT_FOUND.test(error.message)) return null
      throw error
    }
  }

  async function byAlias(alias: string): Promise<Held | null> {
    // to Veramo an empty alias means every DID
    const [found] = isAlias(alias) ? await agent.didManagerFind({ alias }) : []
    return found === undefined ? null : heldOf(found)
  }

  function signerOf({ did, alias, kid, publicKey, keyRef }: Held): VaultSigner {
    return { did, alias, kid, publicKey, keyRef, sign: data => sign(did, keyRef, data) }
  }

  async function sign(did: Did, keyRef: string, data: Uint8Array): Promise<Uint8Array> {
    try {
      const encoded = await agent.keyManagerSign({ keyRef, algorithm: 'EdDSA', ...written(data) })
      const signature = fromBase64url(encoded)
      if (signature?.length === SIGNATURE_BYTES) return signature
    } catch (cause) {
      if (isProcuraError(cause)) throw cause
      // the store has no other way to say no
      if (cause instanceof Error && cause.message === 'Key not found') {
        throw new ProcuraError('NOT_FOUND', { what: `key of ${did} any more` }, { cause })
      }
      throw new ProcuraError('STORAGE_UNAVAILABLE', { why: `the key of ${did} cannot be used` }, { cause })
    }
    throw new TypeError('the key management system made no Ed25519 signature')
  }
}

/** Bytes for Veramo, which takes text: what is text goes as it is, because to read base64 takes it as long as to sign. */
function written(data: Uint8Array): { readonly data: string; readonly encoding: 'utf-8' | 'base64' } {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  const encoding = isUtf8(bytes) ? 'utf-8' : 'base64'
  return { data: bytes.toString(encoding), encoding }
}

/** What Veramo keeps of a DID as the rest of the program knows it; `null` if nothing of it can sign here. */
function heldOf({ did, alias, controllerKeyId, keys }: IIdentifier): Held | null {
  if (!isDid(did)) return null
  const named = keys
    .filter(({ type, publicKeyHex }) => type === 'Ed25519' && PUBLIC_KEY.test(publicKeyHex))
    .map(({ kid, publicKeyHex }) => nameKey(did, kid, parsePublicKey(Buffer.from(publicKeyHex, 'hex'), did)))
    .filter(key => key !== null)
    .sort((a, b) => rank(a) - rank(b) || (a.keyRef < b.keyRef ? -1 : 1))
  const [current] = named
  return current === undefined ? null : { ...current, did, alias: alias ?? did, keys: named }

  function rank({ keyRef }: NamedKey): number {
    return keyRef === controllerKeyId ? 0 : 1
  }
}

function nameKey(did: Did, keyRef: string, publicKey: PublicKey): NamedKey | null {
  if (methodOf(did) === 'key') return toDidKey(publicKey) === did ? { kid: didKeyUrl(did), publicKey, keyRef } : null
  const kid = `${did}#${keyRef}`
  return methodOf(did) === 'web' && isDidUrl(kid) ? { kid, publicKey, keyRef } : null
}
