// How many ephemeral agents with a key of their own are made in a second, beside Veramo's own stores; and whether many
// agents slow the others down.
//   npm run bench:agents [-- 100000]
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from '@veramo/core'
import { DIDStore, Entities, KeyStore, migrations, PrivateKeyStore } from '@veramo/data-store'
import { DIDManager } from '@veramo/did-manager'
import { KeyDIDProvider } from '@veramo/did-provider-key'
import { KeyManager } from '@veramo/key-manager'
import { KeyManagementSystem, SecretBox } from '@veramo/kms-local'
import { signJws } from 'procura'
import { openWallet } from 'procura/wallet'
import { DataSource } from 'typeorm'

const many = Number(process.argv[2] ?? 10_000)
const EACH = 200
const ROUNDS = 5
const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))

/** Veramo as its guides put it together, with the same journal as ours. @param {string} database */
async function stock(database) {
  const source = new DataSource({
    ...{ type: 'sqlite', database, entities: Entities, migrations, migrationsRun: true, logging: false },
  })
  await source.initialize()
  if (database !== ':memory:') await source.query('PRAGMA journal_mode = WAL')
  await source.query('PRAGMA synchronous = FULL')
  const secrets = new PrivateKeyStore(source, new SecretBox(randomBytes(32).toString('hex')))
  const agent = createAgent({
    plugins: [
      new KeyManager({ store: new KeyStore(source), kms: { local: new KeyManagementSystem(secrets) } }),
      new DIDManager({
        store: new DIDStore(source),
        defaultProvider: 'did:key',
        providers: { 'did:key': new KeyDIDProvider({ defaultKms: 'local' }) },
      }),
    ],
  })
  return {
    make: () => agent.execute('didManagerCreate', { alias: randomUUID(), options: { keyType: 'Ed25519' } }),
    close: () => source.destroy(),
  }
}

/** @param {string} storage */
async function ours(storage) {
  const wallet = await openWallet({ storage, roots: [] })
  return {
    make: () => wallet.createAgent({ name: randomUUID(), ephemeral: true, ttl: '1h' }),
    close: () => wallet.close(),
  }
}

/** @param {() => Promise<unknown>} make @param {number} count */
async function rate(make, count) {
  const started = performance.now()
  for (let n = 0; n < count; n += 1) await make()
  return (count * 1000) / (performance.now() - started)
}

const middle = (/** @type {number[]} */ all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0

/**
 * Both in turns, so that a busy machine meets both.
 *
 * @typedef {{ make: () => Promise<unknown>, close: () => Promise<void> }} Maker
 * @param {string} place
 * @param {Maker} own
 * @param {Maker} peer
 */
async function compare(place, own, peer) {
  /** @type {[number[], number[]]} */
  const [mine, theirs] = [[], []]
  for (const { make } of [own, peer]) await rate(make, 20)
  for (let round = 0; round < ROUNDS; round += 1) {
    mine.push(await rate(own.make, EACH))
    theirs.push(await rate(peer.make, EACH / 4))
  }
  const [a, b] = [middle(mine), middle(theirs)]
  console.log(
    `${place.padEnd(8)} ${a.toFixed(0).padStart(6)} agents/s, Veramo's own stores ${b.toFixed(0).padStart(5)}/s: ${(a / b).toFixed(1)} ×`,
  )
  await own.close()
  await peer.close()
}

await compare('SQLite', await ours(`sqlite://${join(folder, 'ours.db')}`), await stock(join(folder, 'stock.db')))
await compare('memory', await ours('sqlite::memory:'), await stock(':memory:'))

const issuers = await openWallet({ storage: 'sqlite::memory:', roots: [] })
const owner = await issuers.createAgent({ name: 'owner' })
const [x, kid] = [owner.holder.publicKey.x, owner.holder.kid]
const wallet = await openWallet({
  storage: `sqlite://${join(folder, 'many.db')}`,
  roots: [{ issuer: owner.did, jwks: { keys: [{ kid, kty: 'OKP', crv: 'Ed25519', x }] } }],
})
/** @type {string[]} */
const names = []
const add = async () => {
  const name = randomUUID()
  await wallet.createAgent({ name, ephemeral: true, ttl: '12h' })
  names.push(name)
}

/** Milliseconds, the middle of many. @param {number} times @param {() => Promise<unknown>} work */
async function time(times, work) {
  /** @type {number[]} */
  const took = []
  for (let n = 0; n < times; n += 1) {
    const started = performance.now()
    await work()
    took.push(performance.now() - started)
  }
  return middle(took)
}

const API = 'https://api.example'
const principal = await wallet.createAgent({ name: 'principal' })

/** @type {number[][]} */
const seen = []
for (const goal of [100, many]) {
  while (names.length < goal) await add()
  // without a status list it is good for five minutes
  await principal.receive(await root(principal))
  const some = async () => wallet.agent(names[Math.floor(Math.random() * names.length)] ?? '')
  const authority = { audience: [API], grants: [{ resource: `${API}/x`, actions: ['read'] }] }
  const took = [
    await time(300, some),
    await time(300, async () => principal.delegate({ to: (await some()).did, ttl: 60, ...authority })),
    await time(300, async () => (await some()).holder.sign(randomBytes(64))),
    await time(300, add),
  ]
  seen.push(took)
  const [looked = '', issued = '', signed = '', made = ''] = took.map(value => value.toFixed(2))
  console.log(
    `${String(goal).padStart(8)} agents: look-up ${looked} ms, delegation to one ${issued} ms, signature of any ${signed} ms, one more ${made} ms`,
  )
}
const [few = [], all = []] = seen
console.log(
  `with ${many}: ${all.map((value, index) => `${(value / (few[index] ?? 1)).toFixed(2)} ×`).join(', ')} of the time`,
)
await wallet.close()
await issuers.close()
rmSync(folder, { recursive: true })

/** A root for an agent, from the owner. @param {typeof principal} to */
function root({ did, holder }) {
  const now = Math.floor(Date.now() / 1000)
  const at = (/** @type {number} */ seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
  return signJws(
    {
      '@context': ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1'],
      id: `urn:uuid:${randomUUID()}`,
      type: ['VerifiableCredential', 'AgentCapabilityCredential'],
      ...{ issuer: owner.did, iss: owner.did, sub: did, iat: now, exp: now + 290 },
      ...{ validFrom: at(now), validUntil: at(now + 290) },
      cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: holder.publicKey.x } },
      credentialSubject: {
        id: did,
        authority: {
          ...{ v: 1, hop: 0, more: 1, audience: [API], onBehalfOf: 'urn:user:1' },
          grants: [{ resource: `${API}/**`, actions: ['read'] }],
        },
      },
    },
    'vc+jwt',
    owner.holder,
  )
}
