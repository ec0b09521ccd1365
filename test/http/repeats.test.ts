import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../src/entry/client.js'
import { openService, type Service } from '../../src/entry/service.js'
import { openWallet, type OpenWallet } from '../../src/entry/wallet.js'
import type { Signer } from '../../src/signer.js'
import { hasPostgres, temporaryDatabases } from '../contract/postgres.js'
import { party } from '../mint.js'
import { Asking } from './asking.js'
import { API, openTestHome, ORIGIN, type Home } from './home.js'

const { freshDatabase, dropAll } = temporaryDatabases()
afterAll(dropAll)
const AUTHORITY = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }

describe.each(['SQLite', ...(hasPostgres ? ['PostgreSQL'] : [])])('idempotency keys: two processes on %s', engine => {
  let home: Home
  let second: Service
  let operators: OpenWallet
  let operator: Signer
  let both: readonly Asking[]
  let names = 0
  beforeAll(async () => {
    const environment = engine === 'SQLite' ? {} : { PROCURA_STORAGE: await freshDatabase() }
    home = await openTestHome(undefined, environment)
    const own = { ...environment, PROCURA_AUDIT: join(home.folder, 'audit-2') }
    second = await openService({ config: home.config, environment: own })
    operators = await openWallet({ storage: `sqlite://${join(home.folder, 'operator.db')}`, roots: [] })
    operator = (await operators.agent('operator')).holder
    both = [home.service.address, second.address].map(address => new Asking(address))
  })
  afterAll(async () => {
    await operators.close()
    await second.close()
    await home.close()
  })

  const person = () => {
    const { did } = party(`person ${(names += 1)}`)
    return { kind: 'person', did, name: 'somebody' }
  }
  const keyed = (key: string) => ({ headers: { 'idempotency-key': key } })

  test('asked one after another: once done, and answered alike, and said so', async () => {
    const body = person()
    const first = await both[0]!.ask('register', operator, { body, ...keyed('one') })
    const again = await both[1]!.ask('register', operator, { body, ...keyed('one') })
    expect([first.status, again.status, again.text]).toEqual([201, 201, first.text])
    expect([first, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true'])
    const other = await both[0]!.ask('register', operator, { body: person(), ...keyed('one') })
    expect([other.status, other.code]).toEqual([409, 'IDEMPOTENCY_CONFLICT'])
  })

  test('asked ten times at once: one grant, ten times the same credential', async () => {
    const body = person()
    await both[0]!.ask('register', operator, { body })
    const asked = { body: { to: body.did, ttl: 600, authority: AUTHORITY }, ...keyed('grant') }
    const answers = await Promise.all(Array.from({ length: 10 }, (_, n) => both[n % 2]!.ask('grant', operator, asked)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(answers.map(({ body: { credential } }) => credential)).size).toBe(1)
  })

  test('a refusal is not kept: the same key may end better', async () => {
    const body = person()
    const asked = { body: { to: body.did, ttl: 600, authority: AUTHORITY }, ...keyed('early') }
    expect((await both[0]!.ask('grant', operator, asked)).code).toBe('SUBJECT_UNKNOWN')
    await both[1]!.ask('register', operator, { body })
    expect((await both[1]!.ask('grant', operator, asked)).status).toBe(201)
  })

  test('what is the same when it is done again', async () => {
    const body = person()
    await both[0]!.ask('register', operator, { body })
    const granted = await both[0]!.ask('grant', operator, { body: { to: body.did, ttl: 600, authority: AUTHORITY } })
    const asked = { body: { credential: granted.textOf('digest') }, ...keyed('revoke') }
    const [first, again] = [
      await both[0]!.ask('revoke', operator, asked),
      await both[1]!.ask('revoke', operator, asked),
    ]
    expect(first.body['version']).toBeGreaterThan(0)
    expect(again.text).toBe(first.text)
  })

  test('keys of two callers are two keys', async () => {
    const wallet = await home.wallet()
    const [one, two] = [
      await wallet.createAgent({ name: `${engine} 1` }),
      await wallet.createAgent({ name: `${engine} 2` }),
    ]
    for (const { did } of [one, two]) await both[0]!.ask('register', operator, { body: { ...person(), did } })
    for (const { did, holder } of [one, two]) {
      const retired = await both[0]!.ask('retire', holder, { params: { did }, body: {}, ...keyed('mine') })
      expect([retired.status, retired.body['did']]).toEqual([200, did])
    }
  })

  test.each(['', 'a b', 'x'.repeat(129), 'é'])('a key that is none: %j', async key => {
    const refused = await both[0]!.ask('publish', operator, {
      body: {},
      headers: { 'idempotency-key': encodeURI(key) },
    })
    expect(refused.code).toBe('SCHEMA')
  })

  test.each<[string, number]>([
    ['no answer came', 0],
    ['an answer broke off', -40],
  ])('the client makes its calls again when %s, and they happen once', async (_, kept) => {
    let cut = 2
    const port = Number(new URL(home.service.address).port)
    const ends: (() => void)[] = []
    /** Hands requests on; before the end of the first two answers the line breaks. */
    const line = createServer(near => {
      const far = connect({ host: '127.0.0.1', port })
      const end = (): void => [near, far].forEach(one => one.destroy())
      ends.push(end)
      near.on('error', end).on('close', end).pipe(far)
      far.on('error', end).on('data', data => {
        if ((cut -= 1) < 0) near.write(data)
        else if (kept === 0) end()
        else near.end(data.subarray(0, kept))
      })
    })
    await new Promise<void>(resolve => line.listen(0, '127.0.0.1', resolve))
    const address = `http://127.0.0.1:${(line.address() as { readonly port: number }).port}`
    const client = createClient({ service: ORIGIN, signer: operator, connect: { [ORIGIN]: address } })
    const body = person()
    // made twice before the third answer comes through; a second registration would be SUBJECT_EXISTS
    const { subject } = await client.register({ body: { ...body, kind: 'person' } })
    expect([subject.did, cut < 0]).toEqual([body.did, true])
    for (const end of ends) end()
    line.close()
  })
})
