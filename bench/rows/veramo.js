// Stock Veramo 7: verifying a presentation and every credential in it, and issuing a credential and saving it on SQLite.
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from '@veramo/core'
import { CredentialProviderJWT } from '@veramo/credential-jwt'
import { CredentialPlugin } from '@veramo/credential-w3c'
import { DataStore, DIDStore, Entities, KeyStore, migrations, PrivateKeyStore } from '@veramo/data-store'
import { DIDManager } from '@veramo/did-manager'
import { KeyDIDProvider } from '@veramo/did-provider-key'
import { DIDResolverPlugin } from '@veramo/did-resolver'
import { KeyManager } from '@veramo/key-manager'
import { KeyManagementSystem, SecretBox } from '@veramo/kms-local'
import { getResolver } from 'key-did-resolver'
import { DataSource } from 'typeorm'
import { at, GRANTS, PEOPLE, SELF, stockPresentation } from '../inputs.js'
import { row, several, waiting } from './row.js'

/** @import { ICredentialPlugin, IDataStore, IDIDManager, IKeyManager, IResolver } from '@veramo/core-types' */

const resolving = () => new DIDResolverPlugin({ ...getResolver() })
const credentials = () => new CredentialPlugin([new CredentialProviderJWT()])

/** Whether the presentation and each of its three credentials verify: the former says nothing of the latter. @returns {(presentation: string) => Promise<string | null>} */
export function verifying() {
  const create = /** @type {typeof createAgent<ICredentialPlugin>} */ (createAgent)
  const agent = create({ plugins: [resolving(), credentials()] })
  return async presentation => {
    const shown = await agent.verifyPresentation({ presentation })
    if (!shown.verified) return shown.error?.message ?? 'not verified'
    /** @type {unknown} */
    const read = JSON.parse(Buffer.from(presentation.split('.')[1] ?? '', 'base64url').toString())
    const { vp } = /** @type {{ vp: { verifiableCredential: string[] } }} */ (read)
    for (const credential of vp.verifiableCredential) {
      const one = await agent.verifyCredential({ credential })
      if (!one.verified) return one.error?.message ?? 'not verified'
    }
    return vp.verifiableCredential.length === 3 ? null : 'not three'
  }
}

/** As its guides put it together, with the journal that our store has. @param {string} database */
async function issuing(database) {
  const source = new DataSource({
    ...{ type: 'sqlite', database, entities: Entities, migrations, migrationsRun: true, logging: false },
  })
  await source.initialize()
  await source.query('PRAGMA journal_mode = WAL')
  await source.query('PRAGMA synchronous = FULL')
  const secrets = new PrivateKeyStore(source, new SecretBox(randomBytes(32).toString('hex')))
  const create =
    /** @type {typeof createAgent<IDIDManager & IKeyManager & IResolver & IDataStore & ICredentialPlugin>} */ (
      createAgent
    )
  const agent = create({
    plugins: [
      ...[resolving(), credentials(), new DataStore(source)],
      new KeyManager({ store: new KeyStore(source), kms: { local: new KeyManagementSystem(secrets) } }),
      new DIDManager({
        store: new DIDStore(source),
        defaultProvider: 'did:key',
        providers: { 'did:key': new KeyDIDProvider({ defaultKms: 'local' }) },
      }),
    ],
  })
  const issuer = await agent.didManagerCreate({ alias: 'issuer', options: { keyType: 'Ed25519' } })
  const subject = at(PEOPLE, 1).did
  return async () => {
    const until = new Date(Date.now() + 3_600_000).toISOString()
    const credential = await agent.createVerifiableCredential({
      credential: {
        // of one second, two without a name are one, and that is saved once
        ...{ id: `urn:uuid:${randomUUID()}`, issuer: { id: issuer.did }, expirationDate: until },
        credentialSubject: { id: subject, authority: { audience: [SELF], grants: GRANTS } },
      },
      proofFormat: 'jwt',
    })
    await agent.dataStoreSaveVerifiableCredential({ verifiableCredential: credential })
  }
}

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const refusal = verifying()
  const issue = await issuing(join(folder, 'veramo.db'))
  return {
    'veramo-3': row(
      count => several(count, stockPresentation),
      async presentation => {
        const why = await refusal(presentation)
        if (why !== null) throw new Error(why)
      },
    ),
    'veramo-issue-save': waiting(issue),
  }
}
