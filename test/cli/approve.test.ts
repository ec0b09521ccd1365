import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Fastify, { type FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { requireAuthority } from '../../src/entry/fastify.js'
import { createVerifier, fileAudit, sqliteState, type Verifier } from '../../src/entry/verifier.js'
import { openWallet, type ApprovalRequest, type WalletAgent } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { paramsDigest } from '../../src/presentation/request.js'
import { API, openTestHome, type Home } from '../http/home.js'
import { procura, procuraAtTerminal, procuraProcess } from './run.js'

const PARAMS = { amount: 32_000, currency: 'USD' }

let home: Home
let api: FastifyInstance
let verifier: Verifier
let booker: WalletAgent
let alice: string
let ran: unknown[]
/** the wallet of the person, and the refusal as the agent got it, in files */
let wallet: string
let refusal: string
let required: ApprovalRequest
const close: (() => Promise<unknown>)[] = []

const book = (params: JsonObject, approval?: string) =>
  booker.fetch(`${API}/bookings/1`, {
    method: 'POST',
    body: params,
    authority: { action: 'book', params },
    ...(approval === undefined ? {} : { approval }),
  })
const codeOf = async (response: Response) => [response.status, ((await response.json()) as { code?: string }).code]

beforeAll(async () => {
  home = await openTestHome()
  const { folder, service } = home
  wallet = `sqlite://${join(folder, 'person.db')}`
  const person = await openWallet({ storage: wallet, roots: [] })
  alice = (await person.createAgent({ name: 'alice' })).did
  await person.close()

  const grants = [{ resource: `${API}/**`, actions: ['book'], perCall: true }]
  const policy = { self: API, roots: [{ issuer: service.did, grants, approvers: [alice] }] }
  const state = await sqliteState(join(folder, 'api.db'))
  const audit = await fileAudit(join(folder, 'api.audit'))
  verifier = await createVerifier({ policy, state, audit, connect: home.connect })
  api = Fastify({ http: { maxHeaderSize: 65_536 } })
  ran = []
  const params = (request: { body: unknown }): JsonObject => request.body as JsonObject
  api.post('/bookings/:id', requireAuthority(verifier, { action: 'book', params }), request => ran.push(request.body))
  home.connect[API] = await api.listen({ host: '127.0.0.1', port: 0 })
  close.push(
    () => api.close(),
    () => state.close(),
    () => audit.close(),
  )

  booker = await (await home.wallet()).createAgent({ name: 'booker' })
  const authority = { audience: [API], grants: [{ resource: `${API}/**`, actions: ['book'] }] }
  await booker.receive((await home.grant({ to: booker.did, ttl: 600, authority })).credential)
  const problem = await (await book(PARAMS)).text()
  refusal = join(folder, 'refusal.json')
  await writeFile(refusal, problem)
  required = (JSON.parse(problem) as { approval: ApprovalRequest }).approval
})
afterAll(async () => {
  for (const one of close) await one()
  await home.close()
})

const asAlice = (...args: readonly string[]) => ['approve', '--wallet', wallet, '--as', 'alice', ...args]
const claimsOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonObject

test('a person approves a call that was refused: exactly this call runs, and once', async () => {
  expect(await codeOf(await book(PARAMS))).toEqual([403, 'APPROVAL_REQUIRED'])
  const { code, stdout, stderr } = await procuraProcess(asAlice('--yes', refusal))
  expect(code).toBe(0)
  expect(stderr).toBe(
    [
      `verifier    ${API}`,
      'action      book',
      `resource    ${API}/bookings/1`,
      `delegation  ${required.leaf}`,
      'parameters',
      '  "amount": 32000',
      '  "currency": "USD"',
      `this is     ${required.action} on ${required.resource}`,
      `approver    ${alice}`,
      '',
    ].join('\n'),
  )
  const approval = stdout.trimEnd()
  expect(await codeOf(await book({ ...PARAMS, amount: 32_001 }, approval))).toEqual([403, 'APPROVAL_INVALID'])
  expect(ran).toEqual([])
  expect((await book(PARAMS, approval)).status).toBe(200)
  expect(await codeOf(await book(PARAMS, approval))).toEqual([401, 'PRESENTATION_REPLAYED'])
  expect(ran).toEqual([PARAMS])
})

describe('what holds the request', () => {
  test('a decision, a problem document or the request alone; a file or standard input; by alias or DID', async () => {
    const resource = `${API}/bookings/1`
    const request = { method: 'POST', url: resource, bodyDigest: null, action: 'book', resource, params: PARAMS }
    const decision = await verifier.decide(await booker.present({ ...request, audience: API }), request)
    expect(decision.code).toBe('APPROVAL_REQUIRED')
    const runs = await Promise.all([
      procuraProcess(asAlice('--yes', '-'), JSON.stringify(decision)),
      procura(['approve', '--yes', '-w', wallet, '--as', alice, '--method', 'desk'], JSON.stringify(required)),
      procura(asAlice('--yes', '-o', 'json'), await readFile(refusal, 'utf8')),
    ])
    expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
    const json = JSON.parse(runs[2].stdout) as { approval: string; approver: string }
    expect(json.approver).toBe(alice)
    const { audience: aud, leaf, action, paramsDigest: digest } = required
    const same = { iss: alice, aud, leaf, action, resource, paramsDigest: digest, decision: 'approve' }
    for (const [token, method] of [
      [runs[0].stdout, 'unattended'] as const,
      [runs[1].stdout, 'desk'] as const,
      [json.approval, 'unattended'] as const,
    ]) {
      expect(claimsOf(token)).toMatchObject({ ...same, approver: { id: alice, method } })
    }
  })

  test('is shown in full and in plain sight, whatever is in it', async () => {
    const long = 'x'.repeat(3000)
    const display = {
      'a\n  "b': `${long}end`,
      order: '\u202e\u001b[2J\u009b1A\u2028',
      // shown as nothing, as a space, or far enough to the right to pass for a line of its own
      who: 'alice\u3164\u2800\u00a0',
      note: 'thanks      amount: 1',
      __proto__x: { deep: ['🗝', null] },
    }
    const { code, stderr } = await procura(
      asAlice('--yes'),
      JSON.stringify({ ...required, display, paramsDigest: paramsDigest(display) }),
    )
    expect(code).toBe(0)
    expect(stderr.split('\n').slice(5, -3)).toEqual([
      `  "a\\n \\u{20}\\"b": "${long}end"`,
      '  "order": "\\u{202e}\\u001b[2J\\u{9b}1A\\u{2028}"',
      '  "who": "alice\\u{3164}\\u{2800}\\u{a0}"',
      '  "note": "thanks \\u{20}\\u{20}\\u{20}\\u{20}\\u{20}amount: 1"',
      '  "__proto__x": {"deep":["🗝",null]}',
    ])
  })
})

describe.runIf(process.platform === 'linux')('at a terminal', () => {
  const QUESTION =
    /"amount": 32000\r\n {2}"currency": "USD"\r\nthis is {5}[^\r]+\r\napprover {4}did:key:\w+\r\n.*Approve exactly this call, once\? \[y\/N\] /

  test.each([
    ['y', 'y\r', 0],
    ['something else', 'yesterday\r', 77],
    ['Ctrl-D', '\u0004', 77],
    ['Ctrl-C', '\u0003', 77],
  ])('the answer is %s', async (name, keys, expected) => {
    const out = join(home.folder, `out ${name}`)
    const { code, stdout: screen } = await procuraAtTerminal(asAlice(refusal), `> '${out}'`, keys)
    expect(code).toBe(expected)
    expect(screen).toMatch(QUESTION)
    expect(screen.endsWith('approve: the person said no\r\n')).toBe(expected !== 0)
    expect(await readFile(out, 'utf8')).toMatch(expected === 0 ? /^[\w-]+\.[\w-]+\.[\w-]+\n$/ : /^$/)
  })

  test('who cannot see the question, or used up the keyboard for the request, is not asked', async () => {
    const [unseen, typed] = [join(home.folder, 'unseen'), join(home.folder, 'typed')]
    const runs = await Promise.all([
      procuraAtTerminal(asAlice(refusal), `> '${unseen}' 2> /dev/null`, 'y\r', ''),
      procuraAtTerminal(asAlice('-'), `> '${typed}'`, `${JSON.stringify(required)}\r\u0004y\r`, ''),
    ])
    expect(runs.map(({ code }) => code)).toEqual([64, 64])
    expect(runs[1].stdout).toContain('procura: nobody is at a terminal')
    for (const out of [unseen, typed]) expect(await readFile(out, 'utf8')).toBe('')
  })
})

describe('refused: nothing on standard output, nothing made', () => {
  /** Runs with the request on standard input, unless the arguments name a file. */
  async function refused(code: number, message: RegExp, args: readonly string[], input?: string): Promise<void> {
    const before = await readdir(home.folder)
    const { stderr, ...rest } = await procura(args, input ?? JSON.stringify(required))
    expect(rest).toEqual({ code, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n {4}at /)
    // SQLite keeps files beside an open database
    const beside = /^person\.db-/
    expect((await readdir(home.folder)).filter(name => !before.includes(name) && !beside.test(name))).toEqual([])
  }

  test.each<[string, number, RegExp, JsonObject | string]>([
    ['nothing', 65, /JSON_SYNTAX: the approval request /, ''],
    ['no JSON', 65, /JSON_SYNTAX: /, '{"audience":'],
    ['an array', 65, /SCHEMA: approval is not an object/, '[]'],
    ['another refusal', 65, /SCHEMA: approval is not an object/, '{"allow":false,"approval":null}'],
    ['too much', 65, /INPUT_TOO_LARGE/, ' '.repeat(1_100_000)],
    ['too deep', 65, /JSON_DEPTH/, { display: JSON.parse(`{"a":${'['.repeat(999)}${']'.repeat(999)}}`) as JsonObject }],
    ['an unknown member', 65, /approval\.note is not a known member/, { note: 'x' }],
    ['a resource that is none', 65, /approval\.resource /, { resource: `${API}/a b` }],
    ['an action with a space', 65, /approval\.action /, { action: 'book it' }],
    ['a verifier with a space', 65, /approval\.audience /, { audience: 'a b' }],
    ['no leaf', 65, /approval\.leaf /, { leaf: 'uEiA' }],
    ['a lone surrogate', 65, /JSON_NOT_CANONICAL/, { display: { a: '\ud800' } }],
    ['other parameters than the digest says', 77, /^procura: REQUEST_PARAMS/, { display: { amount: 1 } }],
  ])('a request that is %s: %i', async (_, code, message, changed) => {
    const input = typeof changed === 'string' ? changed : JSON.stringify({ ...required, ...changed })
    await refused(code, message, asAlice('--yes'), input)
  })

  test.each<[string, number, RegExp, () => readonly string[]]>([
    ['nobody to ask', 64, /^ {2}"amount": 32000\n(?:.*\n)*procura: nobody/m, () => asAlice(refusal)],
    ['no wallet named', 64, /required option .*--wallet/, () => ['approve', '--as', 'alice']],
    ['no approver named', 64, /required option .*--as/, () => ['approve', '--wallet', wallet]],
    ['an unknown output', 64, /Allowed choices are json, table/, () => asAlice('-o', 'xml')],
    ['an empty method', 65, /SCHEMA: --method /, () => asAlice('--yes', '--method', '')],
    ['no such file', 66, /NOT_FOUND: no readable file .*ENOENT/, () => asAlice('--yes', join(home.folder, 'none'))],
    ['a folder', 66, /NOT_FOUND: no readable file .*EISDIR/, () => asAlice('--yes', home.folder)],
    ['an unknown approver', 66, /NOT_FOUND: no agent mallory/, () => [...asAlice('--yes'), '--as', 'mallory']],
  ])('%s: %i', (_, code, message, args) => refused(code, message, args()))

  test.each<[string, number, RegExp, () => string]>([
    ['that is not there', 66, /NOT_FOUND: no wallet .*none\.db/, () => `sqlite://${join(home.folder, 'none.db')}`],
    ['without its key', 66, /NOT_FOUND: no key file .*acme\.db\.key/, () => `sqlite://${join(home.folder, 'acme.db')}`],
    ['in memory', 78, /CONFIG_INVALID: wallet: /, () => 'sqlite::memory:'],
    ['of another kind', 78, /^(?!.*secret)procura: CONFIG_INVALID: /, () => 'postgres://u:secret@h/d'],
    ['that is text', 69, /STORAGE_UNAVAILABLE/, () => `sqlite://${join(home.folder, 'text')}`],
  ])('a wallet %s: %i', async (_, code, message, url) => {
    await writeFile(join(home.folder, 'text'), 'This file is no database, however long it may become in the end.')
    await writeFile(join(home.folder, 'text.key'), 'x', { mode: 0o600 })
    await refused(code, message, ['approve', '--yes', '--as', 'alice', '--wallet', url()])
  })
})

test('--help shows an example', async () => {
  const { code, stdout } = await procuraProcess(['approve', '--help'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/Example:\n {2}procura approve refusal\.json --wallet sqlite:\/\/\S+ --as alice/)
})
