// Status lists: handing out indexes, publishing, checking, and what one revocation reaches. Ratios count, not figures.
//   npm run bench:status   (PROCURA_BENCH_STORAGE=postgres://… for another database, a fresh one)
import { createPrivateKey, sign } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openStore } from '../dist/adapters/store/store.js'
import { nextSecond, systemClock, systemIds } from '../dist/adapters/system.js'
import { fromDidKey } from '../dist/did/key.js'
import { parsePublicKey } from '../dist/ed25519.js'
import { digestOf } from '../dist/encoding.js'
import { createIssuer } from '../dist/issuer/issuer.js'
import { bitAt, bitsOf, decodeList, encodeList } from '../dist/status/bitstring.js'

const BASE = 'https://bench.example/v1/status/'
/** @type {`did:key:${string}`} */
const HOLDER = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
const jwk = { kty: 'OKP', crv: 'Ed25519', d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } // prettier-ignore
const key = createPrivateKey({ key: jwk, format: 'jwk' })
const publicKey = parsePublicKey(Buffer.from(jwk.x, 'base64url'), 'bench')
/** @type {`did:${string}:${string}`} */
const did = 'did:web:bench.example'
/** @type {`${typeof did}#${string}`} */
const kid = `${did}#k1`
const signer = {
  did,
  kid,
  publicKey,
  /** @param {Uint8Array} data */
  sign: data => Promise.resolve(new Uint8Array(sign(null, data, key))),
}

const folder = await mkdtemp(join(tmpdir(), 'procura-bench-'))
const store = await openStore(process.env['PROCURA_BENCH_STORAGE'] ?? `sqlite://${join(folder, 'bench.db')}`)
const issuer = createIssuer(
  {
    keys: {
      did,
      signer: () => Promise.resolve(signer),
      listed: () => Promise.resolve([{ kid, key: publicKey }]),
      find: asked => Promise.resolve(asked === kid ? { key: publicKey, isListed: true } : null),
    },
    statusBase: BASE,
  },
  {
    ...store,
    transaction: work => store.transaction(work),
    clock: systemClock,
    ids: systemIds,
    keys: { find: () => Promise.resolve(null), all: () => Promise.resolve([]) },
    audit: { record: () => Promise.resolve() },
    marker: { reached: 0, raise: () => Promise.resolve() },
    nextSecond,
  },
)

/** @param {string} what @param {number} count @param {() => Promise<unknown> | void} work */
async function measure(what, count, work) {
  const begin = performance.now()
  await work()
  const seconds = (performance.now() - begin) / 1000
  console.log(`${what.padEnd(58)} ${Math.round(count / seconds)}/s  (${(seconds * 1000).toFixed(0)} ms)`)
}

const now = systemClock.now()
/** @param {number} count @param {number} [day] @param {typeof did | typeof HOLDER} [of] @returns {Promise<{ list: string, indexes: readonly number[] }>} */
const lease = (count, day = 0, of = did) =>
  store.statusRows.lease({ issuer: of, count, purpose: 'revocation', validUntil: now + day * 86_400, now })

const BLOCKS = 100
await measure(`indexes in blocks of 256, a transaction each`, BLOCKS * 256, async () => {
  for (let n = 0; n < BLOCKS; n += 1) await lease(256)
})
const authority = { more: 0, audience: ['https://api.bench.example'], grants: [{ resource: 'https://api.bench.example/**', actions: ['read'] }] } // prettier-ignore
/** @type {string[]} */
const granted = []
await measure('grants, signed and kept, two indexes each', 500, async () => {
  for (let n = 0; n < 500; n += 1) {
    granted.push((await issuer.grant({ to: HOLDER, key: fromDidKey(HOLDER), authority, ttl: 3600 })).digest)
  }
})

/** @type {{ list: string, indexes: readonly number[] }[]} */
const lists = []
for (let day = 10; day < 110; day += 1) lists.push(await lease(1, day))
for (const { list, indexes } of lists) await store.statusRows.set(list, indexes, did, now)
await measure('changed lists built from rows, signed, put in place', 100, async () => {
  for (const { list } of lists) await issuer.list(list)
})

const length = 1_048_576
const packed = encodeList(
  bitsOf(
    length,
    Array.from({ length: 10_000 }, (_, n) => (n * 7919) % length),
  ),
)
await measure('1 048 576 bits at 1 %: decoded and one bit looked up', 200, () => {
  for (let n = 0; n < 200; n += 1) bitAt(decodeList(packed, 'bench'), n)
})
console.log(`${'  packed'.padEnd(58)} ${packed.length} characters`)
setFlagsFromString('--expose-gc')
// a context made after the flag has it
/** @type {unknown} */
const gc = runInNewContext('gc')
const collect = /** @type {() => void} */ (gc)
const memory = () => {
  collect()
  return process.memoryUsage().arrayBuffers
}
const before = memory()
const kept = Array.from({ length: 50 }, () => decodeList(packed, 'bench'))
console.log(`${'  memory of each decoded list'.padEnd(58)} ${Math.round((memory() - before) / kept.length / 1024)} kB`)

await measure('500 revocations in one call', 500, () => issuer.changeAll(granted, 'revoke', did, true).then(() => {}))

// 100 000 below one parent: the rows as the service keeps what it has seen
const parent = await issuer.grant({ to: HOLDER, key: fromDidKey(HOLDER), authority, ttl: 3600 })
const CHILDREN = 100_000
/** @type {string[]} */
const children = []
while (children.length < CHILDREN) {
  const { list, indexes } = await lease(1000, 0, HOLDER)
  const rows = indexes.map(index => {
    const digest = digestOf(`child.${children.push('')}`)
    children[children.length - 1] = digest
    const names = { digest, id: digest, issuer: HOLDER, subject: did, parent: parent.digest }
    const status = { statusUrl: `${BASE}${list}`, statusIndex: index, suspensionUrl: null, suspensionIndex: null }
    return { ...names, issuedAt: now, validUntil: now + 3600, token: 'a.b.c', key: fromDidKey(HOLDER).x, ...status }
  })
  for (let from = 0; from < rows.length; from += 500) {
    await store.dataSource.createQueryBuilder().insert().into('StoredCredential').values(rows.slice(from, from + 500)).updateEntity(false).execute() // prettier-ignore
  }
}
await measure('what revoking a parent of 100 000 would end', CHILDREN, async () => {
  const { descendants } = await issuer.blastOf([parent.digest], did, true)
  if (descendants !== CHILDREN) throw new Error(`${descendants} descendants`)
})
await measure('a parent of 100 000 descendants denied, with one row', CHILDREN, () =>
  issuer.revoke(parent.digest, did, true).then(() => {}),
)
await measure('100 000 revocations in one call', CHILDREN, async () => {
  const done = await issuer.changeAll(children, 'revoke', did, true)
  if (done.some(one => one instanceof Error)) throw new Error('some were refused')
})
await measure('the same again, nothing left to do', CHILDREN, () =>
  issuer.changeAll(children, 'revoke', did, true).then(() => {}),
)

await store.close()
await rm(folder, { recursive: true, force: true })
