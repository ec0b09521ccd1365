import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { API, openTestHome, SECRET, writeConfig, type Home } from '../http/home.js'
import { procura, type Transcript } from './run.js'

let home: Home
let wallet: string
let dids: Record<string, string>
beforeAll(async () => {
  home = await openTestHome()
  const port = Number(new URL(home.service.address).port)
  await writeConfig(home.folder, { listen: { host: '127.0.0.1', port } })
  await writeFile(join(home.folder, 'api.secret'), `${SECRET}\n`)
  wallet = `sqlite://${join(home.folder, 'agents.db')}`
  dids = {}
  for (const name of ['planner', 'booker']) {
    const said = ['--operator', 'did:web:acme.example', '--autonomy', 'L2', '--risk', 'low', '-o', 'json']
    const { stdout } = await run('agent', 'create', name, '--in', wallet, ...said)
    dids[name] = (JSON.parse(stdout) as { subject: { did: string } }).subject.did
  }
})
afterAll(() => home.close())

const at = (file: string): string => join(home.folder, file)
const run = (...args: string[]): Promise<Transcript> => procura([...args, '--config', home.config])
const as = (name: string): string[] => ['--wallet', wallet, '--as', name]
const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>
const grant = (...args: string[]): Promise<Transcript> => run('grant', '--to', dids['planner'] ?? '', ...args)
const BOOK = ['--resource', `${API}/bookings/**`, '--action', 'read', '--action', 'write']
const MONEY = ['--arg', 'amount=range:0..2000.00USD', '--arg', 'currency=eq:USD']

describe('grant', () => {
  test('says in a sentence what was granted, on standard error; the chain goes to standard output', async () => {
    const { code, stdout, stderr } = await grant(...BOOK, ...MONEY, '--budget', '2000USD', '--rate', '10/min', '--ttl', '30m', '--more', '2') // prettier-ignore
    expect(code).toBe(0)
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    expect(stderr).toContain(
      `${dids['planner'] ?? ''} may read, write on ${API}/bookings/** (amount 0…200000, currency = "USD"), ` +
        `spending at most 2000.00 USD of amount, at most 10 calls in 60 s, at ${API}, for 30 min, and may hand it on over 2 hops.`,
    )
    expect(stderr).not.toContain('warning')
  })

  test('as JSON it is one document, warnings included, and nothing beside it', async () => {
    const { code, stdout, stderr } = await grant('-r', `${API}/**`, '-a', 'read', '--ttl', '12h', '-o', 'json')
    expect([code, stderr]).toEqual([0, ''])
    const answer = json(stdout)
    expect(Object.keys(answer)).toEqual([
      'to',
      'digest',
      'id',
      'validUntil',
      'sentence',
      'warnings',
      'authority',
      'chain',
    ])
    expect(answer['warnings']).toEqual([
      `${API}/** is everything at that origin`,
      `read on ${API}/** takes any arguments: --arg names and bounds them`,
      'it lives 12 h: a short one is renewed, a long one has to be revoked',
    ])
  })

  test.each<[string, string[], number, string]>([
    ['an action of no form', ['-r', `${API}/x`, '-a', 'Read!', '--ttl', '5m'], 65, '--action'],
    ['a resource that is none', ['-r', 'http://api', '-a', 'read', '--ttl', '5m'], 65, 'RESOURCE_SYNTAX: --resource'],
    ['a float', [...BOOK, '--arg', 'amount=range:0..20.5', '--ttl', '5m'], 65, '--arg amount an amount without a unit'],
    ['a budget of nothing', [...BOOK, '--budget', '5USD', '--ttl', '5m'], 65, '--budget does not say what is summed'],
    ['no ttl', BOOK, 64, '--ttl is due'],
    ['no action', ['-r', `${API}/x`, '--ttl', '5m'], 64, '--resource and --action are due'],
    ['two bounds', [...BOOK, '--arg', 'a=any', '--arg', 'a=eq:1', '--ttl', '5m'], 64, 'bounded twice'],
    ['a file and options', ['--file', 'x.yaml', '--rate', '1/min'], 64, '--rate goes without it'],
    ['a life above the policy', [...BOOK, '--ttl', '25h'], 64, '--ttl is due: up to 24 h'],
    ['hops above the policy', [...BOOK, '--ttl', '5m', '--more', '9'], 77, 'GRANT_REFUSED'],
  ])('%s is refused', async (_, args, code, why) => {
    const { stdout, stderr, ...ended } = await grant(...args)
    expect([ended.code, stdout]).toEqual([code, ''])
    expect(stderr).toContain(why)
    const inJson = await grant(...args, '-o', 'json')
    expect([inJson.code, inJson.stdout]).toEqual([code, ''])
    expect(json(inJson.stderr)).toMatchObject({ exit: code, detail: expect.stringContaining(why) as string })
  })

  test('a DID that is none: nothing of it reaches the terminal raw', async () => {
    const { code, stderr } = await run('grant', '--to', 'did:web:$(id)\u001b[31m\u202e\n', ...BOOK, '--ttl', '5m')
    expect([code, stderr]).toEqual([65, 'procura: SCHEMA: --to is not a DID\n'])
  })

  test('from a file, whose errors name their lines, all at once', async () => {
    const file = at('grant.yaml')
    const lines = [
      `to: ${dids['planner'] ?? ''}`,
      'ttl: 10m',
      'grants:',
      `  - resource: ${API}/bookings/**`,
      '    actions: [read]',
      '    args:',
      '      amount: range:0..2000USD',
      '      currency: eq:USD',
      '      note?: text:280',
      'budgets: [2000USD]',
      'rate: { max: 5, per: 1 }',
      'more: 1',
    ]
    await writeFile(file, lines.join('\n'))
    const granted = await run('grant', '--file', file, '-o', 'json')
    expect(granted).toMatchObject({ code: 0, stderr: '' })
    expect(json(granted.stdout)['sentence']).toContain(
      'note text of at most 280 bytes, optional), spending at most 2000.00',
    )

    const broken = lines
      .with(3, '  - resource: https://API/x')
      .with(6, '      amount: range:0..20.5')
      .with(10, 'rates: 3')
    await writeFile(file, broken.join('\n'))
    const refused = await run('grant', '--file', file)
    expect(refused.code).toBe(65)
    for (const part of [
      `${file}:7 grants[0].args.amount an amount without`,
      `${file}:11 rates is not a known member`,
    ]) {
      expect(refused.stderr).toContain(part)
    }
  })
})

describe('from grant to request', () => {
  test('granted, received, handed on, presented, verified, explained, revoked', async () => {
    const granted = await grant(...BOOK, ...MONEY, '--budget', '2000USD', '--ttl', '30m', '--more', '1', '-o', 'json')
    const { digest, chain } = json(granted.stdout) as { digest: string; chain: string[] }
    await writeFile(at('planner.json'), granted.stdout)
    // of another agent, and before its root is trusted
    expect((await run('receive', at('planner.json'), ...as('booker'))).stderr).toContain('CALLER_FORBIDDEN')
    const received = await run('receive', at('planner.json'), ...as('planner'))
    expect(received).toMatchObject({ code: 0, stderr: '' })
    expect(received.stdout).toContain(`digest ${digest}`)

    const narrower = ['-r', `${API}/bookings/SYD-1`, '-a', 'write', '--arg', 'amount=range:0..500USD', '--arg', 'currency=eq:USD'] // prettier-ignore
    const delegated = await run('delegate', ...as('planner'), '--to', dids['booker'] ?? '', ...narrower, '--ttl', '20m')
    expect(delegated.code).toBe(0)
    expect(delegated.stdout.trim().split('\n')[0]).toBe(chain[0])
    expect(delegated.stdout.trim().split('\n')).toHaveLength(2)
    await writeFile(at('booker.chain'), delegated.stdout)
    const wider = ['-r', `${API}/bookings/SYD-1`, '-a', 'write', '--ttl', '1m']
    const refused = await run('delegate', ...as('planner'), '--to', dids['booker'] ?? '', ...wider)
    expect(refused).toMatchObject({ code: 77, stdout: '' })
    expect(refused.stderr).toContain('WIDENED_ARGS')
    expect((await procura(['receive', '-', ...as('booker'), '--config', home.config], delegated.stdout)).code).toBe(0)

    const call = ['--url', `${API}/bookings/SYD-1`, '--method', 'POST', '--action', 'write']
    const params = ['--params', '{"amount":32000,"currency":"USD"}']
    const presented = await run('present', ...as('booker'), ...call, ...params)
    expect(presented.code).toBe(0)
    const token = presented.stdout.trim()
    const tooMuch = await run('present', ...as('booker'), ...call, '--params', '{"amount":60000,"currency":"USD"}')
    expect(tooMuch).toMatchObject({ code: 77, stdout: '' })

    const local = ['--policy', at('policy.json')]
    const explained = await run('explain', token, ...local, ...params)
    expect(explained).toMatchObject({ code: 0, stderr: expect.stringMatching(/^warning: without --state/) as string })
    expect(explained.stdout).toMatch(/✓ allowed/)
    expect(explained.stdout).toContain(
      'differs  https://api.acme.example/bookings/** → https://api.acme.example/bookings/SYD-1',
    )
    expect(explained.stdout).toContain('amount: 0…200000 → 0…50000')
    expect(explained.stdout).toContain(`revokers did:web:id.acme.example, ${dids['planner'] ?? ''}`)
    const other = await run('explain', token, ...local, '-o', 'json')
    expect([other.code, json(other.stdout)['decision']]).toMatchObject([77, { allow: false, code: 'REQUEST_PARAMS' }])

    // explaining used nothing up; verifying does
    const secret = ['--secret-file', at('api.secret')]
    expect((await run('verify', token, ...params, ...secret)).stdout).toMatch(/^✓ allowed: did:key/)
    const again = await run('verify', token, ...params, ...secret, '-o', 'json')
    expect([again.code, json(again.stdout)['code']]).toEqual([77, 'PRESENTATION_REPLAYED'])
    const state = ['--state', `sqlite://${at('api.db')}`, '--audit', at('api.audit')]
    expect((await run('verify', token, ...params, ...local, ...state)).code).toBe(0)
    expect((await run('verify', token, ...params, ...local, ...state)).stdout).toContain('PRESENTATION_REPLAYED')
    expect((await run('explain', token, ...params, ...local, ...state.slice(0, 2))).stdout).toContain(
      'PRESENTATION_REPLAYED',
    )

    const chainOnly = await run('explain', at('booker.chain'), ...local)
    expect(chainOnly.stdout).toContain(`✓ the chain holds for ${dids['booker'] ?? ''}`)
    expect((await run('verify', at('booker.chain'), ...local, ...state)).code).toBe(0)

    expect((await run('revoke', digest)).code).toBe(0)
    const after = await run('explain', at('booker.chain'), ...local, '-o', 'json')
    expect([after.code, json(after.stdout)]).toMatchObject([
      77,
      { of: 'chain', decision: { code: 'STATUS_REVOKED', link: 0 } },
    ])
    const late = await run('present', ...as('booker'), ...call, ...params)
    const denied = await run('verify', late.stdout.trim(), ...params, ...secret)
    expect(denied.code).toBe(77)
    expect(denied.stdout).toMatch(/^✗ refused at link 0 \(unauthenticated\): STATUS_REVOKED/)
  })

  test.each<[string, string[], number, RegExp]>([
    ['no secret', ['verify', 'a.b.c'], 65, /PROCURA_SECRET is due/],
    ['a token that is none', ['explain', 'a.b.c', '--policy', 'POLICY'], 65, /JWS_FORMAT/],
    ['a file that is not there', ['explain', '/no/such', '--policy', 'POLICY'], 66, /NOT_FOUND/],
    ['a file without end', ['explain', '/dev/zero', '--policy', 'POLICY'], 65, /INPUT_TOO_LARGE/],
    ['a policy alone', ['verify', 'a.b.c', '--policy', 'POLICY'], 64, /--state and --audit/],
    [
      'a wallet that is not there',
      ['present', '--wallet', 'sqlite:///no/such.db', '--as', 'x', '--url', API, '--action', 'read'],
      66,
      /no wallet/,
    ],
    ['a presentation received', ['receive', 'a.b.c', '--wallet', 'WALLET', '--as', 'planner'], 65, /JWS_FORMAT/],
    ['nothing received', ['receive', '/dev/zero', '--wallet', 'WALLET', '--as', 'planner'], 65, /INPUT_TOO_LARGE/],
  ])('%s is refused', async (_, args, code, why) => {
    const named = args.map(one => (one === 'POLICY' ? at('policy.json') : one === 'WALLET' ? wallet : one))
    const { stderr, stdout, ...ended } = await run(...named)
    expect([ended.code, stderr + stdout]).toEqual([code, expect.stringMatching(why)])
  })
})
