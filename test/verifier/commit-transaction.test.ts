import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqliteState, type DatabaseState } from '../../src/entry/verifier.js'
import { createVerifier, type LocalVerifier } from '../../src/verifier/verifier.js'
import { booker, goodChain, owner, policyOf, present, REQUEST, world } from '../mint.js'

let folder: string
let state: DatabaseState
let other: DatabaseState
let verifier: LocalVerifier
/** another process's verifier over the same file */
let elsewhere: LocalVerifier

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'procura-commit-'))
  const file = join(folder, 'state.db')
  ;[state, other] = [await sqliteState(file), await sqliteState(file)]
  const base = await world()
  let names = 0
  const ids = { ...base.ids, uuid: () => `decision ${(names += 1)}` }
  verifier = createVerifier(policyOf(), { ...base, ids, ...state })
  elsewhere = createVerifier(policyOf(), { ...base, ids, ...other })
  await state.query('CREATE TABLE app_booking (trip TEXT NOT NULL)')
})
afterEach(async () => {
  await Promise.all([state.close(), other.close()])
  await rm(folder, { recursive: true })
})

const BUDGETS = [{ unit: '#calls', decimals: 0, max: 1, meter: '#calls' }]

async function reserved(): Promise<string> {
  const shown = await present(booker, await goodChain({ budgets: BUDGETS }))
  const { allow, decisionId } = await verifier.decide(shown, REQUEST, { reserve: true })
  expect(allow).toBe(true)
  return decisionId
}

/** The effect: a row beside the state, together with its commit point. */
const book = (id: string, trouble?: Error): Promise<void> =>
  state.transaction(async () => {
    const answer = await verifier.commit(id)
    if (!answer.allow) throw new Error(answer.code)
    await state.query('INSERT INTO app_booking (trip) VALUES (?)', ['SYD-1'])
    if (trouble !== undefined) throw trouble
  })
const booked = async (): Promise<number> => ((await other.query('SELECT trip FROM app_booking')) as unknown[]).length

test('commit and effect take effect together', async () => {
  const id = await reserved()
  await book(id)
  expect(await booked()).toBe(1)
  expect(await elsewhere.release(id)).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
})

test('an effect that fails undoes the commit: the reservation is open, and can be released', async () => {
  const id = await reserved()
  await expect(book(id, new Error('no seat left'))).rejects.toThrow('no seat left')
  expect(await booked()).toBe(0)
  expect(await elsewhere.recheck(id)).toMatchObject({ allow: true })
  expect(await elsewhere.release(id)).toMatchObject({ allow: true })
})

test('a revocation that was there first leaves no effect', async () => {
  const id = await reserved()
  await elsewhere.learn({ target: booker.did, signer: owner.did })
  await expect(book(id)).rejects.toThrow('AGENT_KILLED')
  expect(await booked()).toBe(0)
})

test('of a revocation and an effect at once, one is first, and the other knows', async () => {
  for (let round = 0; round < 10; round += 1) {
    const id = await reserved()
    const before = await booked()
    const target = `did:key:zRound${round}` as const
    let seen = -1
    const effect = state.transaction(async () => {
      const answer = await verifier.commit(id)
      seen = (await state.revocations.about([target], [owner.did])).length
      if (!answer.allow || seen > 0) throw new Error('revoked')
      await state.query('INSERT INTO app_booking (trip) VALUES (?)', ['SYD-1'])
      // what was not there when the effect was decided cannot come in before it is done
      expect(await state.revocations.about([target], [owner.did])).toHaveLength(0)
    })
    await Promise.allSettled([effect, elsewhere.learn({ target, signer: owner.did })])
    expect((await booked()) - before).toBe(seen === 0 ? 1 : 0)
  }
})

test('a commit that was refused inside leaves the transaction to its owner', async () => {
  const answer = await state.transaction(() => verifier.commit('no such decision'))
  expect(answer).toMatchObject({ allow: false, code: 'NOT_FOUND' })
})
