import { beforeEach, describe, expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.js'
import type { Held, Hold } from '../../src/ports/deciding.js'
import { createVerifier, type Commitment, type LocalVerifier, type VerifierPorts } from '../../src/verifier/verifier.js'
import {
  booker,
  goodChain,
  LIST,
  listToken,
  mint,
  NOW,
  owner,
  planner,
  policyOf,
  present,
  REQUEST,
  SELF,
  status,
  world,
} from '../mint.js'
import { recorder, says } from './scene.js'

let now = NOW
let ports: VerifierPorts
let records: JsonObject[]
let holds: (Hold | null)[]
let verifier: LocalVerifier

beforeEach(async () => {
  now = NOW
  holds = []
  const log = recorder()
  records = log.records
  const base = await world({ clock: { now: () => now }, audit: log.audit })
  const ledger: VerifierPorts['ledger'] = {
    ...base.ledger,
    settle(settlement) {
      holds.push(settlement.hold)
      return base.ledger.settle(settlement)
    },
  }
  ports = { ...base, ledger }
  verifier = createVerifier(policyOf(), ports)
})

async function reserved(chain?: readonly { readonly token: string }[], by = verifier): Promise<string> {
  const shown = await present(booker, chain ?? (await goodChain()))
  const { allow, decisionId } = await by.decide(shown, REQUEST, { reserve: true })
  expect(allow).toBe(true)
  return decisionId
}
const why = (answer: Commitment): string => (answer.allow ? 'ok' : answer.detail)
const closed = (state: string): string => says('RESERVATION_CLOSED', { why: state })

test.each([
  [{}, 300],
  [{ risk: { book: 'medium' } }, 60],
  [{ risk: { book: 'high' } }, 10],
  [{ risk: { book: 'critical' } }, 0],
  [{ risk: { quote: 'critical' } }, 300],
  [{ risk: { book: 'high' }, maxStatusAge: { high: 5 } }, 5],
])(
  'a reservation keeps for 60 s what can change until the effect; under %o lists may be %i s old',
  async (rules, maxAge) => {
    const policy = policyOf(rules)
    const root = await mint({ signer: owner, to: planner, until: 3600, index: 70 })
    const leaf = await mint({ signer: planner, to: booker, parent: root, from: 0, until: 300, index: null })
    const id = await reserved([root, leaf], createVerifier(policy, ports))
    const revokers = [owner.did, status.did]
    const entries = [{ purpose: 'revocation', url: LIST, index: 70, issuers: [status.did] }]
    expect(holds).toEqual([
      {
        id,
        until: NOW + 60,
        facts: {
          self: SELF,
          policyVersion: policy.version,
          maxAge: { pushed: maxAge, pulled: maxAge },
          watched: [
            { link: 0, digest: root.digest, subject: planner.did, validUntil: NOW + 3600, revokers, entries },
            {
              link: 1,
              digest: leaf.digest,
              subject: booker.did,
              validUntil: NOW + 300,
              revokers: [owner.did, planner.did, status.did],
              entries: [],
            },
          ],
          correlationId: null,
        },
      },
    ])
  },
)

describe('a refusal says why', () => {
  test('closed, and how', async () => {
    const [first, second, third] = [await reserved(), await reserved(), await reserved()]
    await verifier.commit(first)
    expect([why(await verifier.recheck(first)), why(await verifier.release(first))]).toEqual([
      closed('committed'),
      closed('committed'),
    ])
    await verifier.release(second)
    expect([why(await verifier.recheck(second)), why(await verifier.commit(second))]).toEqual([
      closed('released'),
      closed('released'),
    ])
    now = NOW + 59
    expect(why(await verifier.recheck(third))).toBe('ok')
    now = NOW + 60
    const answers = [await verifier.recheck(third), await verifier.commit(third), await verifier.release(third)]
    expect(answers.map(why)).toEqual([closed('expired'), closed('expired'), closed('expired')])
    expect(answers.every(answer => !answer.allow && answer.kind === 'conflict')).toBe(true)
  })

  test('another policy, also for a recheck; releasing needs none', async () => {
    const id = await reserved()
    const other = createVerifier(policyOf({ maxChain: 4 }), ports)
    const answers = [await other.recheck(id), await other.commit(id), await other.release(id)]
    expect(answers.map(why)).toEqual([
      closed('decided under another policy'),
      closed('decided under another policy'),
      'ok',
    ])
  })

  test('of nobody', async () => {
    expect(await verifier.commit('nobody')).toEqual({
      decisionId: 'nobody',
      allow: false,
      code: 'NOT_FOUND',
      kind: 'unknown',
      detail: says('NOT_FOUND', { what: 'such reservation' }),
      link: null,
    })
  })

  test('gone while it was looked at', async () => {
    const id = await reserved()
    const gone = createVerifier(policyOf(), {
      ...ports,
      ledger: { ...ports.ledger, close: () => Promise.resolve(null) },
    })
    expect([why(await gone.commit(id)), why(await gone.release(id))]).toEqual([closed('gone'), closed('gone')])
  })

  test('another was faster', async () => {
    const id = await reserved()
    const late: VerifierPorts['ledger'] = {
      ...ports.ledger,
      async held(name, at): Promise<Held | null> {
        const held = await ports.ledger.held(name, at)
        await ports.ledger.close(name, 'released', at)
        return held
      },
    }
    expect(why(await createVerifier(policyOf(), { ...ports, ledger: late }).commit(id))).toBe(closed('released'))
  })
})

test('what was committed is asked about again, and stays charged', async () => {
  const id = await reserved()
  const first = await verifier.commit(id)
  expect(await verifier.commit(id)).toEqual(first)
  await verifier.learn({ target: planner.did, signer: owner.did })
  const detail = says('AGENT_KILLED', { did: planner.did })
  expect(await verifier.commit(id)).toMatchObject({ allow: false, detail, link: 0 })
  expect((await ports.ledger.held(id, NOW))?.state).toBe('committed')
})

describe('time', () => {
  test.each([
    [899, 'ok', null],
    [900, says('TIME_EXPIRED', { seconds: 0 }), 1],
    [907, says('TIME_EXPIRED', { seconds: 7 }), 1],
  ])('at %i s: %s', async (at, due, link) => {
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const chain = [root, await mint({ signer: planner, to: booker, parent: root, until: 900 })]
    // decided late enough for the reservation to be open at the end of the leaf
    now = NOW + 870
    const shown = await present(booker, chain, { claims: { iat: now, exp: now + 60 } })
    const fresh = createVerifier(policyOf(), { ...ports, statusLists: await listAt(NOW + 860) })
    const { decisionId } = await fresh.decide(shown, REQUEST, { reserve: true })
    now = NOW + at
    const answer = await fresh.recheck(decisionId)
    expect([why(answer), answer.link]).toEqual([due, link])
  })

  test('is asked again after the lists: what ended meanwhile has ended', async () => {
    const root = await mint({ signer: owner, to: planner, until: 3600 })
    const chain = [root, await mint({ signer: planner, to: booker, parent: root, until: 30 })]
    const id = await reserved(chain)
    const slow: VerifierPorts['statusLists'] = {
      read(url, maxAge) {
        now = NOW + 30
        return ports.statusLists.read(url, maxAge)
      },
    }
    const answer = await createVerifier(policyOf(), { ...ports, statusLists: slow }).commit(id)
    expect([why(answer), answer.link]).toEqual([says('TIME_EXPIRED', { seconds: 0 }), 1])
  })

  async function listAt(validFrom: number): Promise<VerifierPorts['statusLists']> {
    const date = (at: number): string => new Date(at * 1000).toISOString().replace('.000', '')
    const times = {
      iat: validFrom,
      exp: validFrom + 600,
      validFrom: date(validFrom),
      validUntil: date(validFrom + 600),
    }
    const token = await listToken([], 42, times)
    return { read: () => Promise.resolve({ snapshot: { token }, age: 0 }) }
  }
})

describe('on record', () => {
  test('what was closed and what was refused; not what was only asked', async () => {
    const id = await reserved()
    records.length = 0
    now = NOW + 5
    const answers = [
      await verifier.recheck(id),
      await verifier.release(id),
      await verifier.commit(id),
      await verifier.recheck(id),
    ]
    expect(records).toEqual([
      { type: 'release', at: NOW + 5, ...answers[1], correlationId: null },
      { type: 'commit', at: NOW + 5, ...answers[2], correlationId: null },
    ])
    expect(records[1]).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED', kind: 'conflict', link: null })
  })

  test('a refusal stays one also where it cannot be recorded', async () => {
    const audit = { record: () => Promise.reject(new Error('disk full')) }
    const mute = createVerifier(policyOf(), { ...ports, audit })
    expect((await mute.commit('nobody')).code).toBe('NOT_FOUND')
    expect((await mute.release('nobody')).code).toBe('NOT_FOUND')
    const id = await reserved()
    expect((await mute.recheck(id)).code).toBeNull()
    expect((await mute.release(id)).code).toBe('INTERNAL')
  })

  test('a decision that could not be recorded takes its reservation back, and one without a hold closes none', async () => {
    const audit = { record: () => Promise.reject(new Error('disk full')) }
    const closes: unknown[] = []
    const ledger: VerifierPorts['ledger'] = {
      ...ports.ledger,
      close(id, to, at) {
        closes.push([id, to, at])
        return Promise.reject(new Error('down'))
      },
    }
    const mute = createVerifier(policyOf(), { ...ports, audit, ledger })
    const first = await mute.decide(await present(booker, await goodChain()), REQUEST, { reserve: true })
    expect([first.code, closes]).toEqual(['INTERNAL', [[first.decisionId, 'released', NOW]]])
    await mute.decide(await present(booker, await goodChain()), REQUEST)
    await mute.decide('garbage', REQUEST, { reserve: true })
    expect(closes).toHaveLength(1)
  })
})
