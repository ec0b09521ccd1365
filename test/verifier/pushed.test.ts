import { expect, test } from 'vitest'
import type { Did } from '../../src/did/did.js'
import type { Risk } from '../../src/policy/risk.js'
import { requireStillLive, type LivePorts } from '../../src/verifier/live.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { booker, goodChain, LIST, listToken, NOW, planner, policyOf, present, REQUEST, status, world } from '../mint.js'

/** A verifier whose lists are 45 s old, and what was asked of them. */
async function scene(risk: Risk, feeds: readonly Did[] = [status.did]) {
  const asked: number[] = []
  const healthy = new Set<Did>(feeds)
  const snapshot = { token: await listToken() }
  const ports = await world({
    streams: { isHealthy: issuer => healthy.has(issuer) },
    statusLists: {
      read(_, maxAge) {
        asked.push(maxAge)
        return Promise.resolve({ snapshot, age: Math.min(maxAge, 45) })
      },
    },
  })
  const named = feeds.map(issuer => ({ issuer, url: 'https://status.example/events' }))
  const verifier = createVerifier(policyOf({ risk: { book: risk }, feeds: named }), ports)
  const chain = await goodChain()
  const decide = async (reserve = false) => verifier.decide(await present(booker, chain), REQUEST, { reserve })
  return { asked, healthy, verifier, decide }
}

test.each<[Risk, number, number]>([
  ['low', 300, 300],
  ['medium', 300, 60],
  ['high', 10, 0],
  ['critical', 0, 0],
])('at %s risk a list may be %i s old while the feed of its issuer is healthy, else %i s', async (risk, up, down) => {
  const { asked, healthy, decide } = await scene(risk)
  expect(await decide()).toMatchObject({ allow: true })
  expect(new Set(asked.splice(0))).toEqual(new Set([up]))
  healthy.clear()
  expect(await decide()).toMatchObject({ allow: true })
  expect(new Set(asked)).toEqual(new Set([down]))
})

test('the commit point goes by how the feed is then, not by how it was', async () => {
  const { asked, healthy, verifier, decide } = await scene('medium')
  const { decisionId } = await decide(true)
  healthy.clear()
  asked.splice(0)
  expect(await verifier.recheck(decisionId)).toMatchObject({ allow: true })
  expect(new Set(asked.splice(0))).toEqual(new Set([60]))
  healthy.add(status.did)
  expect(await verifier.commit(decisionId)).toMatchObject({ allow: true })
  expect(new Set(asked)).toEqual(new Set([300]))
})

test('the feed of somebody else makes no list fresher', async () => {
  const { asked, decide } = await scene('high', [booker.did])
  await decide()
  expect(new Set(asked)).toEqual(new Set([0]))
})

test('without feeds a list may be as old as the policy says', async () => {
  const { asked, healthy, decide } = await scene('high', [])
  healthy.add(status.did)
  await decide()
  expect(new Set(asked)).toEqual(new Set([10]))
})

test('a list that two may sign is as fresh as the feeds of both', async () => {
  const asked: number[] = []
  const ports = await world()
  const two = [status.did, planner.did]
  const chain = await goodChain()
  for (const [healthy, maxAge] of [
    [two, 300],
    [[status.did], 60],
    [[planner.did], 60],
    [[], 60],
  ] as const) {
    const live: LivePorts = {
      ...ports,
      streams: { isHealthy: issuer => (healthy as readonly Did[]).includes(issuer) },
      statusLists: {
        read: (url, age) => {
          asked.push(age)
          return ports.statusLists.read(url, age)
        },
      },
    }
    const entries = [{ purpose: 'revocation', url: LIST, index: 5, issuers: two }] as const
    const watched = {
      link: 0,
      digest: chain[0].digest,
      subject: planner.did,
      validUntil: NOW + 60,
      revokers: [],
      entries,
    }
    const age = { pushed: 300, pulled: 60 }
    await requireStillLive([watched], age, policyOf(), () => NOW, live, { link: null, live: [] })
    expect(asked.splice(0)).toEqual([maxAge])
  }
})
