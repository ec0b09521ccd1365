// How long a wallet takes to take stock and to find what a call needs, by how much it holds.
//   npm run bench:wallet [-- 10000]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { signJws } from 'procura'
import { openWallet } from 'procura/wallet'

const count = Number(process.argv[2] ?? 10_000)
const folder = mkdtempSync(join(tmpdir(), 'procura-bench-'))
const storage = `sqlite://${join(folder, 'wallet.db')}`
const SELF = 'https://api.example'

const issuers = await openWallet({ storage: 'sqlite::memory:', roots: [] })
const owner = await issuers.createAgent({ name: 'owner' })
const { kid, publicKey } = owner.holder
/** @type {{ kid: typeof kid, kty: 'OKP', crv: 'Ed25519', x: string }} */
const key = { kid, kty: 'OKP', crv: 'Ed25519', x: publicKey.x }
const wallet = await openWallet({ storage, roots: [{ issuer: owner.did, jwks: { keys: [key] } }] })
const agent = await wallet.createAgent({ name: 'agent' })

/** A root for one folder of the API. @param {number} n */
function root(n) {
  const now = Math.floor(Date.now() / 1000)
  const at = (/** @type {number} */ seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`
  const [from, until] = [now, now + 240 + (n % 60)]
  return signJws(
    {
      '@context': ['https://www.w3.org/ns/credentials/v2', 'https://w3id.org/procura/v1'],
      id: `urn:uuid:0192f5c2-0000-7000-8000-${String(n).padStart(12, '0')}`,
      type: ['VerifiableCredential', 'AgentCapabilityCredential'],
      ...{ issuer: owner.did, iss: owner.did, sub: agent.did, iat: from, exp: until },
      ...{ validFrom: at(from), validUntil: at(until) },
      cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: agent.holder.publicKey.x } },
      credentialSubject: {
        id: agent.did,
        authority: {
          ...{ v: 1, hop: 0, more: 1, audience: [SELF], onBehalfOf: `urn:user:${n}` },
          grants: [{ resource: `${SELF}/folder-${n}/**`, actions: ['read', 'write'] }],
        },
      },
    },
    'vc+jwt',
    owner.holder,
  )
}

/** Prints how long the work takes: the middle and the 99th of many times. */
async function time(
  /** @type {string} */ what,
  /** @type {number} */ times,
  /** @type {() => Promise<unknown>} */ work,
) {
  /** @type {number[]} */
  const took = []
  for (let n = 0; n < times; n += 1) {
    const started = performance.now()
    await work()
    took.push(performance.now() - started)
  }
  took.sort((a, b) => a - b)
  const at = (/** @type {number} */ part) => (took[Math.min(times - 1, Math.floor(times * part))] ?? 0).toFixed(2)
  console.log(`${what.padEnd(44)} p50 ${at(0.5).padStart(9)} ms   p99 ${at(0.99).padStart(9)} ms`)
}

let taken = 0
for (const goal of [count / 100, count / 10, count]) {
  const started = performance.now()
  const before = taken
  for (; taken < goal; taken += 1) await agent.receive(await root(taken))
  const each = (performance.now() - started) / (taken - before)
  console.log(`\n${taken} held (receiving took ${each.toFixed(2)} ms each)`)
  const somewhere = () => Math.floor(Math.random() * taken)
  const call = (/** @type {number} */ n) => {
    const url = `${SELF}/folder-${n}/file`
    return { method: 'GET', url, bodyDigest: null, action: 'read', resource: url, params: {}, audience: SELF }
  }
  await time('look-up by resource and action', 200, () =>
    agent.held({ resource: `${SELF}/folder-${somewhere()}/x`, action: 'read' }),
  )
  await time('a presentation', 200, () => agent.present(call(somewhere())))
  await time('a refusal', 50, () => agent.present({ ...call(0), action: 'delete' }).catch(() => null))
  await time('the inventory', 5, () => wallet.inventory())
}
await wallet.close()
await issuers.close()
rmSync(folder, { recursive: true })
