import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestHome, writeConfig, type Home } from '../http/home.js'
import { procura, type Transcript } from './run.js'

let home: Home
let config: string
beforeAll(async () => {
  home = await openTestHome()
  const folder = await mkdtemp(join(home.folder, 'cli-'))
  config = await writeConfig(folder, {
    operator: `sqlite://${join(home.folder, 'operator.db')}`,
    listen: { host: '127.0.0.1', port: Number(new URL(home.service.address).port) },
  })
})
afterAll(() => home.close())

const run = (...args: string[]): Promise<Transcript> => procura([...args, '--config', config])
const agent = (name: string, ...args: string[]): Promise<Transcript> =>
  run('agent', 'create', name, '--operator', 'did:web:acme.example', '--autonomy', 'L2', '--risk', 'low', ...args)

test('the life of an agent, as its operator types it', async () => {
  const wallet = `sqlite://${join(home.folder, 'agents.db')}`
  const created = await agent('planner', '--in', wallet, '--ttl', '2h')
  expect(created).toMatchObject({ code: 0, stderr: '' })
  const did = /did:key:\w+/.exec(created.stdout)![0]
  expect(created.stdout).toContain('state         active')

  const listed = await run('agent', 'list')
  expect(listed.stdout.split('\n')[0]).toMatch(/^kind +name +state +did$/)
  expect(listed.stdout).toContain(did)
  const rows = JSON.parse((await run('agent', 'list', '-o', 'json')).stdout) as { did: string; state: string }[]
  expect(rows).toMatchObject([{ did, state: 'active', kind: 'agent', owner: null }])

  expect((await run('agent', 'suspend', did)).stdout).toContain('state         suspended')
  expect(await run('agent', 'suspend', did)).toMatchObject({ code: 73, stdout: '' })
  expect((await run('agent', 'resume', did)).stdout).toContain('state         active')
  expect((await run('agent', 'retire', did)).stdout).toContain('state         retired')
  const shown = JSON.parse((await run('agent', 'show', did, '-o', 'json')).stdout) as object
  expect(shown).toMatchObject({ did, state: 'retired', agent: { autonomy: 'L2', operator: 'did:web:acme.example' } })
})

test.each<[string, string[], number, RegExp]>([
  ['a person has no autonomy', ['person', 'create', 'alice', '--autonomy', 'L2'], 64, /unknown option/],
  [
    'an agent without its risk',
    ['agent', 'create', 'x', '--operator', 'did:web:a.example', '--autonomy', 'L1'],
    64,
    /--risk/,
  ],
  ['neither a wallet nor a DID', ['person', 'create', 'alice'], 65, /--in or --did is needed/],
  ['a DID that is none', ['person', 'create', 'alice', '--did', '$(id)'], 65, /did is not a DID/],
  [
    'a did:web without its key',
    ['person', 'create', 'alice', '--did', 'did:web:alice.example'],
    65,
    /body\.key is needed/,
  ],
  ['a duration that is none', ['person', 'create', 'a', '--did', 'did:key:z6Mk', '--ttl', 'soon'], 65, /--ttl/],
  ['nobody of that DID', ['agent', 'show', 'did:web:nobody.example'], 66, /no subject/],
  ['a wallet that is not there', ['agent', 'list', '--wallet', 'sqlite:///tmp/procura-no-such.db'], 66, /no wallet/],
  ['a service that is not there', ['agent', 'list', '--service', 'https://nobody.invalid'], 69, /nobody\.invalid/],
])('%s', async (_name, args, code, line) => {
  const { stdout, stderr, ...ended } = await run(...args)
  expect([ended.code, stdout]).toEqual([code, ''])
  expect(stderr).toMatch(line)
})

test('what a name hides is shown as what it is', async () => {
  const { code, stderr } = await run(
    'person',
    'create',
    'al\u001b[31mice',
    '--did',
    'did:web:a.example',
    '--key',
    '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  )
  expect(code).toBe(65)

  expect(stderr).not.toMatch(/\u001b/)
})

test('help has an example', async () => {
  expect((await procura(['agent', 'retire', '--help'])).stdout).toMatch(/Example:\n {2}procura agent retire did:key/)
})
