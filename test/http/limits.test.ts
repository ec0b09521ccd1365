import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock, systemIds } from '../../src/adapters/system.js'
import { digestOf } from '../../src/encoding.js'
import { openIssuer, type OpenIssuer } from '../../src/entry/issuer.js'
import { openService, type Service } from '../../src/entry/service.js'
import { openWallet, type OpenWallet, type WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { bodyDigest } from '../../src/presentation/request.js'
import { signProof } from '../../src/presentation/proof.js'
import type { Signer } from '../../src/signer.js'
import { API, ORIGIN, SECRET, writeConfig } from './home.js'

const LIMITS = { identities: { max: 2, per: 600 }, leases: { max: 3, per: 700 }, chains: { max: 2, per: 800 } }
const AUTHORITY = { more: 1, audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }

let folder: string
let services: Service[]
let issuer: OpenIssuer
let operators: OpenWallet
let wallet: OpenWallet
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-limits-'))
  const config = await writeConfig(folder, { limits: LIMITS })
  // two processes on one database
  const [first, second] = ['audit', 'audit-2'].map(name => ({
    config,
    environment: { PROCURA_AUDIT: join(folder, name) },
  }))
  services = [await openService(first!), await openService(second!)]
  const connect = { [ORIGIN]: services[0]!.address }
  const storage = `sqlite://${join(folder, 'operator.db')}`
  issuer = await openIssuer({ service: ORIGIN, storage, connect })
  operators = await openWallet({ storage, roots: [] })
  wallet = await openWallet({ storage: 'sqlite::memory:', roots: [services[0]!.did], service: ORIGIN, connect })
})
afterAll(async () => {
  for (const one of [wallet, operators, issuer, ...services]) await one.close()
  await rm(folder, { recursive: true, force: true })
})

let count = 0
/** A registered agent that holds a root. */
async function newAgent(): Promise<WalletAgent> {
  const agent = await wallet.createAgent({ name: `agent ${(count += 1)}` })
  const said = { operator: 'did:web:id.acme.example', autonomy: 'L1', risk: 'low' } as const
  await issuer.register({ kind: 'agent', did: agent.did, name: 'agent', agent: said })
  await agent.receive((await issuer.grant({ to: agent.did, ttl: 600, authority: AUTHORITY })).credential)
  return agent
}

interface Answer {
  readonly status: number
  readonly code: unknown
  readonly after: string | null
}

/** Posts as `signer` at one of the two. */
async function post(signer: Signer, path: string, body: JsonObject, at = 0): Promise<Answer> {
  const text = JSON.stringify(body)
  const request = { method: 'POST', url: `${ORIGIN}${path}`, bodyDigest: bodyDigest(Buffer.from(text)) }
  const proof = await signProof(signer, ORIGIN, request, systemIds.token(), systemClock.now())
  return read(
    await fetch(`${services[at]!.address}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'agent-proof': proof },
      body: text,
    }),
  )
}

async function read(answer: Response): Promise<Answer> {
  const text = await answer.text()
  const { code } = (text === '' ? {} : JSON.parse(text)) as { code?: unknown }
  return { status: answer.status, code, after: answer.headers.get('retry-after') }
}

const limited = (limit: { readonly per: number }): Answer => {
  return { status: 429, code: 'RATE_LIMITED', after: String(limit.per) }
}

describe('calls of one caller are counted', () => {
  test('identity credentials: the next is refused with Retry-After, another caller is not', async () => {
    const [agent, other] = [await newAgent(), await newAgent()]
    const identify = (one: WalletAgent) => post(one.holder, `/v1/subjects/${one.did}/identity`, {})
    expect([(await identify(agent)).status, (await identify(agent)).status]).toEqual([201, 201])
    expect(await identify(agent)).toEqual(limited(LIMITS.identities))
    expect((await identify(other)).status).toBe(201)
  })

  test('leases: at all processes together, also when they come at once', async () => {
    const agent = await newAgent()
    const { chain } = (await agent.held())[0]!
    const lease = (at: number) => post(agent.holder, '/v1/status/allocations', { chain: [...chain], count: 1 }, at)
    const answers = await Promise.all([0, 1, 0, 1, 0, 1, 0, 1].map(lease))
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses).toEqual([201, 201, 201, 429, 429, 429, 429, 429])
    expect(await lease(0)).toEqual(limited(LIMITS.leases))
  })

  test('a wallet is told so', async () => {
    const [agent, next] = [await newAgent(), await newAgent()]
    const { chain } = (await agent.held())[0]!
    for (let n = 0; n < LIMITS.leases.max; n += 1) {
      await post(agent.holder, '/v1/status/allocations', { chain: [...chain], count: 1 })
    }
    const delegation = agent.delegate({ to: next.did, grants: AUTHORITY.grants, ttl: 500 })
    await expect(delegation).rejects.toMatchObject({ code: 'RATE_LIMITED' })
    // what needs no index goes on
    await agent.delegate({ to: next.did, grants: AUTHORITY.grants, ttl: 300 })
  })

  test('an admin is not counted', async () => {
    const agent = await newAgent()
    const { holder } = await operators.agent('operator')
    for (let n = 0; n <= LIMITS.identities.max; n += 1) {
      expect((await post(holder, `/v1/subjects/${agent.did}/identity`, {})).status).toBe(201)
    }
  })

  test('chains that a resource server uploads', async () => {
    const agent = await newAgent()
    const { chain } = (await agent.held())[0]!
    const leaf = chain.at(-1)!
    const digest = digestOf(leaf.slice(0, leaf.lastIndexOf('.')))
    const upload = async (secret: string): Promise<Answer> =>
      read(
        await fetch(`${services[0]!.address}/v1/chains/${digest}`, {
          method: 'PUT',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
          body: JSON.stringify(chain),
        }),
      )
    expect([(await upload(SECRET)).status, (await upload(SECRET)).status]).toEqual([204, 204])
    expect(await upload(SECRET)).toEqual(limited(LIMITS.chains))
    expect((await upload(`${SECRET}x`)).status).toBe(401)
  })
})

test.each([
  ['max', { leases: { max: 0, per: 60 } }],
  ['per', { chains: { max: 1, per: 86_401 } }],
  ['max', { identities: { per: 60 } }],
  ['grants', { grants: { max: 1, per: 1 } }],
])('a limit that makes no sense is refused at the start: %s', async (member, limits: JsonObject) => {
  const config = await writeConfig(await mkdtemp(join(folder, 'wrong-')), { limits })
  const start = openService({ config, environment: {} })
  await expect(start).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(member) as string,
  })
})
