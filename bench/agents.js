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
const EACH = 400
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

/**
 * Agents in a second, and milliseconds of processor time each.
 *
 * @param {() => Promise<unknown>} make @param {number} count @param {number} atOnce
 */
async function rate(make, count, atOnce) {
  const [started, used] = [performance.now(), process.cpuUsage()]
  let left = count
  const oneByOne = async () => {
    while (left-- > 0) await make()
  }
  await Promise.all(Array.from({ length: atOnce }, oneByOne))
  const { user, system } = process.cpuUsage(used)
  return { rate: (count * 1000) / (performance.now() - started), processor: (user + system) / 1000 / count }
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
  for (const atOnce of [1, 32]) {
    /** @type {[Awaited<ReturnType<typeof rate>>[], Awaited<ReturnType<typeof rate>>[]]} */
    const [mine, theirs] = [[], []]
    for (const { make } of [own, peer]) await rate(make, 64, atOnce)
    for (let round = 0; round < ROUNDS; round += 1) {
      mine.push(await rate(own.make, EACH, atOnce))
      theirs.push(await rate(peer.make, EACH / 4, atOnce))
    }
    const rates = [mine, theirs].map(all => middle(all.map(one => one.rate)))
    const times = [mine, theirs].map(all => middle(all.map(one => one.processor)))
    const [a = 0, b = 0, used = 0, theirUse = 0] = [...rates, ...times]
    console.log(
      `${place}, ${atOnce} at once: ${a.toFixed(0)} agents/s, Veramo's own stores ${b.toFixed(0)}/s: ${(a / b).toFixed(1)} ×; ` +
        `processor ${used.toFixed(2)} and ${theirUse.toFixed(2)} ms each: ${(theirUse / used).toFixed(1)} ×`,
    )
  }
  await own.close()
  await peer.close()
}

await compare('SQLite', await ours(`sqlite://${join(folder, 'ours.db')}`), await stock(join(folder, 'stock.db')))
await compare('memory', await ours('sqlite::memory:'), await stock(':memory:'))

const API = 'https://api.example'
const authority = { audience: [API], grants: [{ resource: `${API}/x`, actions: ['read'] }] }
const issuers = await openWallet({ storage: 'sqlite::memory:', roots: [] })
const owner = await issuers.createAgent({ name: 'owner' })
const [x, kid] = [owner.holder.publicKey.x, owner.holder.kid]

/** A wallet with so many agents, and what is timed there. @param {number} count */
async function crowd(count) {
  const wallet = await openWallet({
    storage: `sqlite://${join(folder, `${count}.db`)}`,
    roots: [{ issuer: owner.did, jwks: { keys: [{ kid, kty: 'OKP', crv: 'Ed25519', x }] } }],
  })
  /** @type {string[]} */
  const names = []
  const add = async () => {
    const name = randomUUID()
    await wallet.createAgent({ name, ephemeral: true, ttl: '12h' })
    names.push(name)
  }
  const made = await rate(add, count, 32)
  console.log(`${count} agents, 32 at once: ${made.rate.toFixed(0)}/s, processor ${made.processor.toFixed(2)} ms each`)
  const principal = await wallet.createAgent({ name: 'principal' })
  // without a status list it is good for five minutes
  await principal.receive(await root(principal))
  const some = async () => wallet.agent(names[Math.floor(Math.random() * names.length)] ?? '')
  return {
    works: {
      'look-up': some,
      'delegation to one': async () => principal.delegate({ to: (await some()).did, ttl: 60, ...authority }),
      'signature of any': async () => (await some()).holder.sign(randomBytes(64)),
      'one more': add,
    },
    close: () => wallet.close(),
  }
}

/** Milliseconds. @param {() => Promise<unknown>} work */
async function time(work) {
  const started = performance.now()
  await work()
  return performance.now() - started
}

const [few, all] = [await crowd(100), await crowd(many)]
for (const [what, work] of /** @type {[keyof typeof few.works, () => Promise<unknown>][]} */ (
  Object.entries(few.works)
)) {
  /** @type {[number[], number[]]} */
  const [ofFew, ofAll] = [[], []]
  for (let n = 0; n < 500; n += 1) {
    ofFew.push(await time(work))
    ofAll.push(await time(all.works[what]))
  }
  const [a, b] = [middle(ofFew), middle(ofAll)]
  console.log(`${what}: ${a.toFixed(2)} ms with 100, ${b.toFixed(2)} ms with ${many}: ${(b / a).toFixed(2)} ×`)
}
await few.close()
await all.close()
await issuers.close()
rmSync(folder, { recursive: true })

/** A root for an agent, from the owner. @param {typeof owner} to */
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
