import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ProcuraError } from '../../src/errors.js'
import { openStore } from '../../src/adapters/store/store.js'
import { createVeramoAgent, type Registry } from '../../src/adapters/veramo/agent.js'
import { readAgentFile } from '../../src/adapters/veramo/agent-file.js'
import { AGENT_YML, file, folder, openWorld, registryOf } from './world.js'

const AGENT = `agent: {$require: '@veramo/core?t=function#createAgent', $args: [{plugins: []}]}`

/** Makes an agent from a file whose line 3 is given. */
async function made(line: string, registry: Registry = {}, env: Record<string, string> = {}) {
  return createVeramoAgent(await readAgentFile(file(`version: 3.0\n\n${line}\n`), env), registry)
}

/** Makes the shipped agent with one text of it replaced. */
async function changed(from: string, to: string) {
  const text = readFileSync(AGENT_YML, 'utf8')
  expect(text.split(from).length).toBeGreaterThan(1)
  const store = await openStore(`sqlite://${join(folder(), 'test.db')}`)
  try {
    const agentFile = await readAgentFile(file(text.replace(from, to)), {})
    return await createVeramoAgent(agentFile, await registryOf(store))
  } finally {
    await store.close()
  }
}

const refused = (at: RegExp, why: RegExp) =>
  expect.objectContaining({
    code: 'CONFIG_INVALID',
    facts: { at: expect.stringMatching(at) as string, why: expect.stringMatching(why) as string },
  }) as Error

describe('the shipped agent.yml', () => {
  test('makes an agent whose parts share one database and which answers for vc+jwt', async () => {
    const { agent, vault } = await openWorld()
    const { did } = await vault.create('alice')
    expect(await agent.didManagerGetProviders()).toEqual(['did:key', 'did:web'])
    expect(await agent.listUsableProofFormats(await agent.didManagerGet({ did }))).toEqual(['vc+jwt'])
    expect((await agent.didManagerCreate({ alias: 'default' })).provider).toBe('did:key')
  })
})

describe('$require reaches nothing else', () => {
  test.each([
    './evil.js#x',
    '../x#y',
    '/etc/passwd#x',
    'node:fs#readFileSync',
    'fs#readFileSync',
    'typeorm#DataSource',
    'http://example.org/x.js#y',
    'https://example.org/x.js#y',
    'data:text/javascript,export const x = 1#x',
    'file:///etc/passwd#x',
    '@veramo#x',
    '@veramo/#x',
    '@veramo/../x#y',
    '@veramo/core/../../typeorm#DataSource',
    '@veramo/core/build/index.js#Agent',
    '@veramo/core%2f..#x',
    '@veramo\\\\core#x',
    '@VERAMO/core#Agent',
    '@veramo-evil/core#Agent',
    'procura/wallet#x',
    'procura/veramo/#x',
    '__proto__#x',
    'constructor#x',
    '#Agent',
    '',
  ])('%s', async required => {
    const spec = `agent: {$require: "${required}"}`
    const attempt = made(spec, { 'procura/veramo': {} })
    await expect(attempt).rejects.toThrow(
      refused(/agent\.yml:3 agent$/, /^\$require may load @veramo\/<package>, procura\/veramo; not /),
    )
  })

  test('not even in a part that nobody uses', async () => {
    await expect(made(`${AGENT}\nunused: {a: [{$require: './x#y'}]}`)).rejects.toThrow(
      refused(/agent\.yml:4 unused\.a\[0\]$/, /not \.\/x$/),
    )
  })
})

describe('what $require names has to be there', () => {
  const registry: Registry = {
    'procura/veramo': {
      five: 5,
      inner: { list: [{ 'a/b': 7 }] },
      fails: () => Promise.reject(new Error('gone at startup')),
    },
  }

  test.each<[string, RegExp]>([
    ['@veramo/nothing-of-this-name#X', /^@veramo\/nothing-of-this-name is not installed$/],
    ['@veramo/core#Agentt', /^\$require: there is no Agentt there$/],
    ['@veramo/core#constructor', /there is no constructor there$/],
    ['@veramo/core#__proto__', /there is no __proto__ there$/],
    ['@veramo/core#toString', /there is no toString there$/],
    ['procura/veramo#constructor', /there is no constructor there$/],
    ['procura/veramo?t=object#__proto__', /there is no __proto__ there$/],
    ['procura/veramo?t=object&p=/constructor#inner', /there is no constructor there$/],
    ['procura/veramo?t=object&p=/list/1#inner', /there is no 1 there$/],
    ['procura/veramo?t=object&p=list#inner', /p is not a JSON pointer/],
    ['procura/veramo#five', /^\$require: procura\/veramo#five is not a class$/],
    ['procura/veramo?t=function#five', /^\$require: procura\/veramo#five is not a function$/],
    ['procura/veramo?t=function#fails', /^procura\/veramo#fails cannot be made: gone at startup$/],
    ['@veramo/core', /^\$require names no member: write @veramo\/core#Member$/],
    ['@veramo/core?t=klass#Agent', /^\$require: t is klass, not one of class, function, object$/],
    ['@veramo/core?t=class&t=object#Agent', /once each$/],
    ['@veramo/core?x=1#Agent', /^\$require takes \?t=class/],
    ['@veramo/core?t=function#Agent', /^@veramo\/core#Agent cannot be made: /],
    ['procura/veramo?t=object#five', /^makes no agent with didManagerCreate, keyManagerSign/],
  ])('%s', async (required, why) => {
    await expect(made(`agent: {$require: "${required}"}`, registry)).rejects.toThrow(
      refused(/agent\.yml:3 agent$/, why),
    )
  })

  test('a pointer leads into what was made', async () => {
    const seen: unknown[] = []
    const registryWithSpy = {
      'procura/veramo': { ...registry['procura/veramo'], spy: (value: unknown) => seen.push(value) },
    }
    const inner = `{$require: 'procura/veramo?t=object&p=/list/0/a~1b#inner'}`
    const whole = `{$require: '@veramo/core?t=object'}`
    await expect(
      made(`agent: {$require: 'procura/veramo?t=function#spy', $args: [[${inner}, ${whole}]]}`, registryWithSpy),
    ).rejects.toThrow(/makes no agent/)
    expect(seen).toEqual([[7, expect.objectContaining({ createAgent: expect.any(Function) as unknown })]])
  })

  test('no section agent', async () => {
    await expect(made('procura: {}')).rejects.toThrow(refused(/agent\.yml:1 agent$/, /^is missing$/))
  })

  test('an agent without the verbs that are needed', async () => {
    await expect(made(AGENT)).rejects.toThrow(refused(/agent\.yml:3 agent$/, /^makes no agent with didManagerCreate, /))
    await expect(changed('        - $ref: /credentials\n', '')).rejects.toThrow(
      refused(/agent$/, /^makes no agent with createVerifiableCredential, verifyPresentation$/),
    )
  })

  test('an agent that validates schemas', async () => {
    await expect(changed('schemaValidation: false', 'schemaValidation: true')).rejects.toThrow(
      refused(/agent$/, /^sets schemaValidation/),
    )
  })

  test('the refusals of what the program brings pass through', async () => {
    const refusal = new ProcuraError('KEY_FILE', { file: 'x', why: 'is missing' })
    const throwing = { 'procura/veramo': { keyRing: () => Promise.reject(refusal) } }
    await expect(made(`agent: {$require: 'procura/veramo?t=function#keyRing'}`, throwing)).rejects.toBe(refusal)
  })

  test('a message of a library does not repeat what it was given', async () => {
    const quoting = {
      'procura/veramo': {
        quote: ({ url }: { url: string }) => {
          throw new Error(`cannot connect to ${url} now`)
        },
      },
    }
    const line = `agent: {$require: 'procura/veramo?t=function#quote', $args: [{url: {$env: URL}}]}`
    await expect(made(line, quoting, { URL: 'postgres://u:hunter22@h/db' })).rejects.toThrow(
      refused(/agent\.yml:3 agent$/, /^procura\/veramo#quote cannot be made: cannot connect to … now$/),
    )
  })
})

test.each(['@veramo/data-store#PrivateKeyStore', '@veramo/key-manager#MemoryPrivateKeyStore'])(
  'private keys are kept by nobody else: %s',
  async other => {
    await expect(changed('procura/veramo#ProcuraKeyManagementSystem', `'${other}'`)).rejects.toThrow(
      refused(/keyManager\.\$args\[0\]\.kms\.local$/, /^would keep private keys of its own; use procura\/veramo#Proc/),
    )
  },
)
