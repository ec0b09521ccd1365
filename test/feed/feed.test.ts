import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { memoryPositions } from '../../src/adapters/state/memory.js'
import type { Store } from '../../src/adapters/store/store.js'
import type { Announcement } from '../../src/ports/issuing.js'
import { signJws } from '../../src/jws/compact.js'
import { openTestHome, ORIGIN, type Home } from '../http/home.js'
import { party } from '../mint.js'
import { announcement, FEED, ISSUER, listenTo, openSame, until, type Ear } from './feed-home.js'
import { claimsOf, isHeartbeat, openRelay, type Change, type Relay } from './relay.js'

let home: Home
let store: Store
let relay: Relay
const opened: Ear[] = []
beforeAll(async () => {
  home = await openTestHome()
  store = await openSame(home.folder)
})
afterAll(async () => {
  await store.close()
  await home.close()
})
afterEach(async () => {
  for (const ear of opened.splice(0)) await ear.close()
  await relay.close()
})

/** Follows the feed through a host in the middle. */
async function follow(...[positions, options]: [Parameters<typeof listenTo>[1]?, Parameters<typeof listenTo>[2]?]) {
  relay = await openRelay(() => home.service.address)
  const ear = again(positions, options)
  await until(() => ear.standing().healthy)
  return ear
}

function again(...[positions, options]: [Parameters<typeof listenTo>[1]?, Parameters<typeof listenTo>[2]?]): Ear {
  const ear = listenTo({ [ORIGIN]: relay.address }, positions, options)
  opened.push(ear)
  return ear
}

let count = 0
/** Announces under fresh names. */
async function announce(...changes: Partial<Announcement>[]): Promise<readonly Announcement[]> {
  const all = changes.map(change => announcement(`n${(count += 1)}`, change))
  await store.outbox.append(all, Math.floor(Date.now() / 1000))
  return all
}

const last = async () => (await store.outbox.span()).last
const heard = ({ learned }: Ear) => learned.map(({ target }) => target)
const isSeq =
  (seq: number): ((token: string) => boolean) =>
  token =>
    claimsOf(token).seq === seq

describe('who follows a feed', () => {
  test('learns what another process announced, in order; suspensions only make lists be asked for anew', async () => {
    const [before] = await announce({})
    const ear = await follow()
    const agent = party('agent').did
    const [a, , c] = await announce(
      {},
      { type: 'suspended', status: { url: `${ORIGIN}/v1/status/2`, index: 0 } },
      { type: 'killed', target: agent, status: null, version: null },
      { type: 'resumed', status: { url: `${ORIGIN}/v1/status/3`, index: 0 }, version: null },
    )
    await until(async () => ear.standing().seq === (await last()))
    expect(ear.learned).toEqual([before, a, c].map(one => ({ target: one!.target, signer: ISSUER })))
    expect(ear.expired).toEqual([1, 1, 2, 3].map(n => `${ORIGIN}/v1/status/${n}`))
    expect(ear.standing()).toEqual({ issuer: ISSUER, url: FEED, healthy: true, seq: await last(), why: null })
  })

  test('goes on where it was, also after a restart', async () => {
    const positions = memoryPositions()
    const first = await follow(positions)
    await announce({})
    await until(async () => first.standing().seq === (await last()))
    await first.close()
    const missed = await announce({}, {})
    const second = again(positions)
    await until(() => second.standing().healthy)
    expect(heard(second)).toEqual(missed.map(({ target }) => target))
  })

  test('a cut connection is taken up again from the last number, and nothing is heard twice', async () => {
    const ear = await follow()
    const before = heard(ear)
    const seq = await last()
    const first = await announce({})
    await until(() => ear.standing().seq === seq + 1)
    relay.isOpen = false
    relay.cut()
    await until(() => !ear.standing().healthy)
    const second = await announce({})
    relay.isOpen = true
    await until(() => ear.standing().healthy)
    expect(heard(ear).slice(before.length)).toEqual([...first, ...second].map(({ target }) => target))
    expect(relay.asked).toContain(`/v1/events?after=${seq + 1}&limit=200`)
    expect(relay.asked.at(-1)).toBe(`/v1/events ${seq + 2}`)
  })

  test('where no stream comes through, pages still bring everything; healthy it is not', async () => {
    relay = await openRelay(() => home.service.address)
    relay.isPullOnly = true
    const ear = again()
    const [one] = await announce({})
    await until(() => heard(ear).includes(one!.target))
    expect(ear.standing()).toMatchObject({ healthy: false, why: expect.stringContaining('status 404') as string })
  })

  test('a backlog of many pages is pulled before the stream begins', async () => {
    await announce(...Array.from({ length: 250 }, () => ({})))
    const ear = await follow()
    expect(ear.learned.length).toBe(new Set(heard(ear)).size)
    expect(ear.standing().seq).toBe(await last())
    expect(relay.asked.filter(path => path.includes('limit'))).toHaveLength(Math.ceil((await last()) / 200))
  })
})

describe('a host in the middle', () => {
  /** Changes tokens from now on, has one event announced, and waits for the stream to be given up. */
  async function attack(change: Change, ...[positions, options]: Parameters<typeof follow>) {
    const ear = await follow(positions, options)
    const known = heard(ear).length
    relay.change = change
    const [victim] = await announce({}, {})
    await until(() => ear.standing().why !== null)
    return { ear, known, victim: victim!.target }
  }
  const honest: Change = token => [token]
  const recovered = async (ear: Ear, target: string): Promise<void> => {
    relay.change = honest
    await until(() => ear.standing().healthy)
    expect(heard(ear).filter(one => one === target)).toHaveLength(1)
  }

  test('that leaves an event out is found out, and neither a stream nor pages are enough', async () => {
    const seq = (await last()) + 1
    const { ear, victim } = await attack(token => (isSeq(seq)(token) ? [] : [token]))
    await until(() => relay.asked.filter(path => path.includes(`after=${seq - 1}&`)).length > 2)
    expect(ear.standing()).toMatchObject({ healthy: false, seq: seq - 1 })
    expect(heard(ear)).not.toContain(victim)
    await recovered(ear, victim)
  })

  test('that forges an event under a key of its own with the name of the real one', async () => {
    const mallory = party('mallory')
    const forged: string[] = [await signJws({}, 'secevent+jwt', mallory)]
    const { ear, known, victim } = await attack(token => (isHeartbeat(token) ? [token] : forged))
    const kid = JSON.parse(Buffer.from(await tokenOf(1), 'base64url').toString()) as { kid: string }
    const target = announcement('forged').target
    const claims = { ...(claimsOf(await tokenOf(await last(), 'whole')) as object), digest: target }
    forged[0] = await signJws(claims, 'secevent+jwt', { ...mallory, kid: kid.kid as never })
    await until(() => ear.standing().why?.includes('SIGNATURE_INVALID') === true)
    expect(heard(ear).slice(known)).toEqual([])
    forged[0] = await signJws({ ...claims, iss: mallory.did }, 'secevent+jwt', mallory)
    await until(() => ear.standing().why?.includes(`does not verify with ${ISSUER}`) === true)
    expect(heard(ear).slice(known)).toEqual([])
    await recovered(ear, victim)
  })

  test('that repeats old events and old heartbeats changes nothing', async () => {
    const ear = await follow()
    const old: string[] = []
    // the first ones with each that comes, and each twice
    relay.change = token => {
      if (old.length < 20) old.push(token)
      return [...old, token, token]
    }
    await announce({})
    await announce({})
    await until(async () => ear.standing().seq === (await last()))
    expect(ear.standing()).toMatchObject({ healthy: true, why: null })
    expect(new Set(heard(ear)).size).toBe(ear.learned.length)
  })

  test('that keeps heartbeats back: silence ends the stream', async () => {
    const ear = await follow(memoryPositions(), { silence: 0.5 })
    relay.change = token => (isHeartbeat(token) ? [] : [token])
    await until(
      () => ear.standing().why === `SERVICE_UNAVAILABLE: ${FEED} does not answer as it should: no heartbeat for 0.5 s`,
    )
    expect(ear.standing().healthy).toBe(false)
  })

  test('that repeats one heartbeat for ever keeps nothing healthy', async () => {
    let uptime = 0
    let time = Math.floor(Date.now() / 1000)
    const ear = await follow(memoryPositions(), { uptime: () => uptime, clock: { now: () => time } })
    const [kept] = await beats()
    relay.change = token => (isHeartbeat(token) ? [kept!, kept!, kept!] : [token])
    uptime += 29_000
    await announce({})
    await until(async () => ear.standing().seq === (await last()))
    expect(ear.standing().healthy).toBe(true)
    uptime += 1_000
    expect(ear.standing().healthy).toBe(false)
    time += 60
    relay.cut()
    await until(() => ear.standing().why?.includes('a heartbeat of another time') === true)
    expect(ear.standing().healthy).toBe(false)
  })

  async function page(after: number): Promise<{ readonly sets: readonly string[]; readonly heartbeat: string }> {
    const answer = await fetch(`${home.service.address}/v1/events?after=${after}`, {
      headers: { accept: 'application/json' },
    })
    return (await answer.json()) as { sets: string[]; heartbeat: string }
  }
  const beats = async (): Promise<readonly string[]> => [(await page(await last())).heartbeat]
  async function tokenOf(seq: number, part: 'header' | 'whole' = 'header'): Promise<string> {
    const token = (await page(seq - 1)).sets[0]!
    return part === 'whole' ? token : token.split('.')[0]!
  }
})
