import { afterAll, beforeAll, expect, test } from 'vitest'
import type { OpenWallet, WalletAgent } from '../../src/entry/wallet.js'
import { API, openTestHome, SECRET, type Home } from '../http/home.js'

const GRANTS = [{ resource: `${API}/**`, actions: ['read'] }]
const NAMES = ['alice', 'planner', 'booker', 'helper', 'last'] as const

let home: Home
let wallet: OpenWallet
let made = 0

beforeAll(async () => {
  home = await openTestHome()
  wallet = await home.wallet()
})
afterAll(() => home.close())

/** owner → alice → planner → booker → helper → last. The service sees the root it grants, and nothing below it. */
async function family(): Promise<{ agents: WalletAgent[]; digests: string[] }> {
  made += 1
  const agents = await Promise.all(NAMES.map(name => wallet.createAgent({ name: `${name}-${made}` })))
  const { credential, digest } = await home.grant({
    to: agents[0]!.did,
    ttl: 3600,
    authority: { more: 4, audience: [API], grants: GRANTS },
  })
  await agents[0]!.receive(credential)
  const digests = [digest]
  for (const [n, agent] of agents.slice(0, -1).entries()) {
    const { chain, digest: given } = await agent.delegate({ to: agents[n + 1]!.did, grants: GRANTS, more: 3 - n, ttl: 1800 - n * 60 }) // prettier-ignore
    await agents[n + 1]!.receive(chain)
    digests.push(given)
  }
  return { agents, digests }
}

/** What the resource server is told of a call of an agent: the code, or `allowed`, and the link. */
async function ask(agent: WalletAgent): Promise<readonly [string, unknown]> {
  const request = { method: 'GET', url: `${API}/rooms/1`, bodyDigest: null, action: 'read', resource: `${API}/rooms/1`, params: {} } // prettier-ignore
  const presentation = await agent.present({ audience: API, ...request })
  const response = await fetch(`${home.service.address}/v1/verify`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRET}` },
    body: JSON.stringify({ presentation, request }),
  })
  const { allow, code, link } = (await response.json()) as { allow: boolean; code: string; link: unknown }
  return allow ? ['allowed', null] : [code, link]
}

test.each([0, 1, 2, 3, 4])(
  'link %i of 5 revoked: it and all below are denied, though the service never saw them; all above go on',
  async revoked => {
    const { agents, digests } = await family()
    const sister = await wallet.createAgent({ name: `sister-${revoked}` })
    await sister.receive((await agents[0]!.delegate({ to: sister.did, grants: GRANTS, ttl: 600 })).chain)
    expect(await Promise.all(agents.map(ask))).toEqual(agents.map(() => ['allowed', null]))
    if (revoked === 0) await home.issuer.revoke(digests[0]!)
    else await agents[revoked - 1]!.revoke(digests[revoked]!)
    const answers = await Promise.all(agents.map(ask))
    expect(answers).toEqual(agents.map((_, n) => (n < revoked ? ['allowed', null] : ['STATUS_REVOKED', revoked])))
    // what hangs beside the revoked link is not touched
    expect((await ask(sister))[0]).toBe(revoked < 1 ? 'STATUS_REVOKED' : 'allowed')
  },
)

test('a root that is suspended denies all below it until it is resumed', async () => {
  const { agents, digests } = await family()
  await home.issuer.api.revoke({ body: { credential: digests[0]!, change: 'suspend' } })
  expect(await Promise.all(agents.map(ask))).toEqual(agents.map(() => ['STATUS_SUSPENDED', 0]))
  await home.issuer.api.revoke({ body: { credential: digests[0]!, change: 'resume' } })
  expect(await Promise.all(agents.map(ask))).toEqual(agents.map(() => ['allowed', null]))
})

test('a wallet leases 32 indexes at once, and uses them up before it asks for more', async () => {
  const asked = await family()
  let calls = 0
  home.service.app.server.on('request', ({ url }: { url?: string }) => {
    if (url === '/v1/status/allocations') calls += 1
  })
  const [alice, , booker] = asked.agents
  const indexes = new Set<string>()
  for (let n = 0; n < 33; n += 1) {
    const { chain } = await alice!.delegate({ to: booker!.did, grants: GRANTS, ttl: 600 + n })
    const { credentialStatus } = JSON.parse(Buffer.from(chain.at(-1)!.split('.')[1]!, 'base64url').toString()) as {
      credentialStatus: { id: string }
    }
    indexes.add(credentialStatus.id)
  }
  expect(indexes.size).toBe(33)
  // one of the first 32 went to planner
  expect(calls).toBe(1)
})
