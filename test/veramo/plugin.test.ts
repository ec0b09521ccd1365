import { readFileSync } from 'node:fs'
import { createAgent } from '@veramo/core'
import { DIDManager, MemoryDIDStore } from '@veramo/did-manager'
import { beforeEach, describe, expect, test } from 'vitest'
import { noLeases } from '../../src/adapters/client/service.js'
import { openStore } from '../../src/adapters/store/store.js'
import { systemIds } from '../../src/adapters/system.js'
import { createVeramoAgent } from '../../src/adapters/veramo/agent.js'
import { readAgentFile } from '../../src/adapters/veramo/agent-file.js'
import {
  ProcuraPlugin,
  type DelegateArgs,
  type ProcuraMethods,
  type ProcuraPluginOptions,
} from '../../src/adapters/veramo/plugin.js'
import { s256 } from '../../src/encoding.js'
import { isProcuraError } from '../../src/errors.js'
import { signApproval } from '../../src/presentation/approval.js'
import { createVerifier, type LocalVerifier } from '../../src/verifier/verifier.js'
import { createWallet, type Agent, type Wallet } from '../../src/wallet/wallet.js'
import { alice, mallory, mint, NOW, owner, PARAMS, party, policyOf, REQUEST, SELF, world } from '../mint.js'
import { AGENT_YML, coded, file, openWorld, registryOf } from './world.js'

/** What planner hands on: less than it was given. */
const GRANT = {
  resource: `${SELF}/bookings/**`,
  actions: ['book'],
  args: {
    amount: { op: 'range', min: 0, max: 50_000, req: true },
    currency: { op: 'eq', value: 'USD', req: true },
  },
} as const
const DIGEST = /^uEi[\w-]{44}$/
const PRESENT = { as: 'booker', audience: SELF, ...REQUEST }

let verifier: LocalVerifier
let wallet: Wallet
let planner: Agent
let booker: Agent

beforeEach(async () => {
  const ports = await world({ ids: systemIds })
  const { store, vault } = await openWorld()
  verifier = createVerifier(policyOf(), ports)
  wallet = createWallet(new Map([[owner.did, { keys: null }]]), {
    clock: ports.clock,
    ids: systemIds,
    keys: ports.keys,
    vault,
    credentials: store.credentials,
    holdings: store.holdings,
    lifetimes: store.lifetimes,
    leases: noLeases,
    transaction: work => store.transaction(work),
    adding: work => store.adding(work),
  })
  planner = await wallet.createAgent({ name: 'planner' })
  booker = await wallet.createAgent({ name: 'booker' })
  await planner.receive((await mint({ signer: owner, to: planner.holder, until: 3600 })).token)
})

/** A Veramo agent that has this plugin and nothing else, and holds its plugins to their schemas. */
function agentWith(options: ProcuraPluginOptions = { verifier, wallet }, schemaValidation = true) {
  return createAgent<ProcuraMethods>({ plugins: [new ProcuraPlugin(options)], schemaValidation })
}

const delegation = (change: object = {}): DelegateArgs => ({
  as: 'planner',
  to: booker.did,
  ttl: 120,
  grants: [GRANT],
  ...change,
})

async function handedOn(agent = agentWith()): Promise<string> {
  await agent.procuraDelegate(delegation())
  return (await agent.procuraPresent(PRESENT)).presentation
}

/** True if nothing is lost on the way through JSON. */
function isPlain(value: unknown): boolean {
  expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value)
  return true
}

describe('through a plain Veramo agent', () => {
  test('authority is handed on, presented, decided once, and explained', async () => {
    const agent = agentWith()
    const made = await agent.procuraDelegate(delegation())
    expect(made).toEqual({
      chain: [expect.any(String), expect.any(String)],
      digest: expect.stringMatching(DIGEST) as string,
      id: expect.stringMatching(/^urn:uuid:/) as string,
      validUntil: NOW + 120,
    })

    const presented = await agent.procuraPresent(PRESENT)
    const shown = presented.presentation
    const before = await agent.procuraExplain({ shown, request: REQUEST })
    const allowed = await agent.procuraDecide({ shown, request: REQUEST })
    expect(allowed).toMatchObject({ allow: true, holder: booker.did, root: owner.did, path: [planner.did, booker.did] })
    expect(allowed.digests.at(-1)).toBe(made.digest)

    const again = await agent.procuraDecide({ shown, request: REQUEST })
    expect(again).toMatchObject({ allow: false, code: 'PRESENTATION_REPLAYED', kind: 'unauthenticated' })
    const after = await agent.procuraExplain({ shown, request: REQUEST })
    const open = ({ steps }: typeof after) => steps.filter(({ outcome }) => outcome !== 'passed')
    expect(open(before).map(({ rows, outcome }) => `${rows} ${outcome}`)).toEqual(['19 skipped'])
    expect(open(after)).toMatchObject([
      { rows: '18', outcome: 'failed', code: 'PRESENTATION_REPLAYED' },
      { rows: '19', outcome: 'not reached' },
    ])
    expect(after.links.map(({ refused, verified }) => [refused, verified])).toEqual([
      [null, true],
      [null, true],
    ])
    expect([made, presented, before, allowed, again, after].every(isPlain)).toBe(true)
  })

  test('a chain that another wallet handed over is taken in, and one of somebody else is not', async () => {
    const agent = agentWith()
    const root = await mint({ signer: owner, to: planner.holder, until: 3600 })
    const link = await mint({ signer: planner.holder, to: booker.holder, parent: root })
    const chain = [root.token, link.token]
    const taken = await agent.procuraReceive({ as: 'booker', chain })
    expect(taken).toEqual({ digest: link.digest, id: link.id, validUntil: NOW + 1800 })
    expect(isPlain(taken)).toBe(true)
    expect((await booker.held()).map(one => one.digest)).toContain(link.digest)
    await expect(agent.procuraReceive({ as: 'planner', chain })).rejects.toMatchObject({ code: 'CALLER_FORBIDDEN' })
  })

  test('an agent is named by its DID as well as by its alias', async () => {
    const agent = agentWith()
    const { digest } = await agent.procuraDelegate(delegation({ as: planner.did }))
    const { presentation } = await agent.procuraPresent({ ...PRESENT, as: booker.did })
    expect(await agent.procuraDecide({ shown: presentation, request: REQUEST })).toMatchObject({ allow: true })
    expect((await booker.held()).map(one => one.digest)).toEqual([digest])
  })

  test('a chain that was kept before is named by a proof', async () => {
    const agent = agentWith()
    const { chain } = await agent.procuraDelegate(delegation())
    const { proof } = await booker.prove({ ...REQUEST, audience: SELF })
    const unknown = await agent.procuraDecide({ shown: { proof }, request: REQUEST })
    expect(unknown).toMatchObject({ allow: false, code: 'CHAIN_UNKNOWN' })
    await verifier.keepChain(chain)
    expect(await agent.procuraDecide({ shown: { proof }, request: REQUEST })).toMatchObject({ allow: true })
  })

  test('a did:web receives authority under the key that is stated', async () => {
    const other = party('other', 'did:web:other.example')
    const args = delegation({ to: other.did, key: other.publicKey.x })
    expect((await agentWith().procuraDelegate(args)).chain).toHaveLength(2)
    await expect(agentWith().procuraDelegate(delegation({ to: other.did }))).rejects.toThrow(coded('KEY_BINDING'))
    const weak = delegation({ to: other.did, key: Buffer.alloc(32).toString('base64url') })
    await expect(agentWith().procuraDelegate(weak)).rejects.toThrow(coded('KEY_WEAK'))
  })

  test('every member of a delegation is handed through', async () => {
    const more = {
      more: 1,
      audience: [SELF],
      recipients: [mallory.did],
      budgets: [{ unit: 'USD', decimals: 2, max: 90_000, meter: 'amount', unitArg: 'currency' }],
      rate: { max: 3, per: 60 },
      purpose: { s256: s256('a trip to Sydney') },
    }
    await agentWith().procuraDelegate(delegation(more))
    const [{ authority }] = (await booker.held()) as [Awaited<ReturnType<Agent['held']>>[number]]
    const { recipients: to, ...stated } = more
    expect(authority).toMatchObject({ ...stated, to, hop: 1 })
    expect(authority.grants).toEqual([{ ...GRANT, args: new Map(Object.entries(GRANT.args)) }])
  })

  test('a reservation is committed, or given back', async () => {
    const agent = agentWith()
    const reserved = async () => {
      const { presentation: shown } = await agent.procuraPresent(PRESENT)
      return agent.procuraDecide({ shown, request: REQUEST, reserve: true })
    }
    await agent.procuraDelegate(delegation())
    const [first, second] = [await reserved(), await reserved()]
    expect(first).toMatchObject({ allow: true, reservedUntil: NOW + 60 })
    const committed = await agent.procuraCommit({ decisionId: first.decisionId })
    expect(committed).toEqual({ decisionId: first.decisionId, allow: true, code: null, link: null })
    expect(await agent.procuraRelease({ decisionId: second.decisionId })).toMatchObject({ allow: true })
    const late = await agent.procuraCommit({ decisionId: second.decisionId })
    expect(late).toMatchObject({ allow: false, code: 'RESERVATION_CLOSED' })
    expect(await agent.procuraCommit({ decisionId: 'none' })).toMatchObject({ allow: false, code: 'NOT_FOUND' })
    expect([first, committed, late].every(isPlain)).toBe(true)
  })
})

describe('what is refused', () => {
  test.each<[string, object, string]>([
    ['another resource', { grants: [{ ...GRANT, resource: `${SELF}/**` }] }, 'WIDENED_RESOURCE'],
    ['another action', { grants: [{ ...GRANT, actions: ['book', 'cancel'] }] }, 'WIDENED_ACTION'],
    [
      'more money',
      { grants: [{ ...GRANT, args: { ...GRANT.args, amount: { op: 'any', req: true } } }] },
      'WIDENED_ARGS',
    ],
    ['any argument', { grants: [{ resource: GRANT.resource, actions: ['book'] }] }, 'WIDENED_ARGS'],
    ['for longer than the one above', { ttl: 7200 }, 'WIDENED_TIME'],
    ['for longer than 300 s without a service', { ttl: 301 }, 'STATUS_UNAVAILABLE'],
    ['another audience', { audience: [SELF, 'https://other.example'] }, 'WIDENED_AUDIENCE'],
    ['more hops', { more: 3 }, 'DEPTH_EXCEEDED'],
    ['a caveat nobody knows', { grants: [{ ...GRANT, until: 'noon' }] }, 'CAVEAT_UNKNOWN'],
    ['a resource that is not canonical', { grants: [{ ...GRANT, resource: `${SELF}/a/../b` }] }, 'RESOURCE_SYNTAX'],
    ['no grant at all', { grants: [] }, 'SCHEMA'],
    ['an agent of nobody', { as: 'nobody' }, 'NOT_FOUND'],
    ['an agent that holds nothing', { as: 'booker' }, 'NOT_FOUND'],
  ])('delegating %s', async (_, change, code) => {
    await expect(agentWith().procuraDelegate(delegation(change))).rejects.toThrow(coded(code))
    await expect(agentWith().procuraDelegate(delegation())).resolves.toBeDefined()
  })

  test('delegating to oneself', async () => {
    const args = delegation({ to: planner.did })
    await expect(agentWith().procuraDelegate(args)).rejects.toThrow(coded('DELEGATION_TO_SELF'))
  })

  test.each<[string, object, string]>([
    ['as nobody', { as: 'nobody' }, 'NOT_FOUND'],
    ['to another verifier', { audience: 'https://other.example' }, 'PRESENTATION_AUDIENCE'],
    ['an action that is not held', { action: 'cancel' }, 'DENIED_ACTION'],
    ['a resource that is not held', { resource: `${SELF}/users/1` }, 'DENIED_RESOURCE'],
    ['an argument that is not held', { params: { ...PARAMS, amount: 50_001 } }, 'DENIED_ARG'],
  ])('presenting %s', async (_, change, code) => {
    await handedOn()
    await expect(agentWith().procuraPresent({ ...PRESENT, ...change })).rejects.toThrow(coded(code))
  })

  test('deciding answers what is refused as a value', async () => {
    const agent = agentWith()
    const shown = await handedOn(agent)
    const other = await agent.procuraDecide({ shown, request: { ...REQUEST, params: { ...PARAMS, amount: 1 } } })
    expect(other).toMatchObject({ allow: false, code: 'REQUEST_PARAMS' })
    for (const nonsense of ['', 'nonsense']) {
      const refused = await agent.procuraDecide({ shown: nonsense, request: REQUEST })
      expect(refused).toMatchObject({ allow: false, code: 'JWS_FORMAT', holder: null })
      expect(isPlain(refused)).toBe(true)
    }
    expect(await agent.procuraDecide({ shown, request: REQUEST })).toMatchObject({ allow: true })
  })
})

describe('what policies ask for', () => {
  test('an approval of each call', async () => {
    const grants = [{ resource: `${SELF}/**`, actions: ['book'], perCall: true }]
    const policy = policyOf({ roots: [{ issuer: owner.did, grants, approvers: [alice.did] }] })
    const agent = agentWith({ verifier: createVerifier(policy, await world({ ids: systemIds })), wallet })
    const shown = await handedOn(agent)
    const asked = await agent.procuraDecide({ shown, request: REQUEST })
    expect(asked).toMatchObject({ code: 'APPROVAL_REQUIRED', approval: { display: PARAMS, audience: SELF } })
    expect(isPlain(asked)).toBe(true)

    if (asked.allow || asked.approval === null) throw new Error('nothing to approve')
    const approval = await signApproval(alice, asked.approval, 'terminal', 'A'.repeat(22), NOW)
    const allowed = await agent.procuraDecide({ shown, request: { ...REQUEST, approval } })
    expect(allowed).toMatchObject({ allow: true, approvedBy: { did: alice.did, method: 'terminal' } })
    expect(isPlain(allowed)).toBe(true)
  })

  test('a nonce, in a request without a body', async () => {
    const challenging = createVerifier(policyOf({ challenge: 'always' }), await world({ ids: systemIds }))
    const agent = agentWith({ verifier: challenging, wallet })
    await agent.procuraDelegate(delegation())
    const { method, url, action, resource, params } = REQUEST
    const bodyless = { as: 'booker', audience: SELF, method, url, action, resource, params }
    const request = { ...REQUEST, bodyDigest: null }
    const decide = async (nonce: object) => {
      const { presentation: shown } = await agent.procuraPresent({ ...bodyless, ...nonce })
      return agent.procuraDecide({ shown, request })
    }
    expect(await decide({})).toMatchObject({ allow: false, code: 'PRESENTATION_NONCE' })
    expect(await decide({ nonce: await challenging.challenge() })).toMatchObject({ allow: true })
  })
})

type Call = readonly [method: keyof ProcuraMethods & string, args: unknown, at: string]

/** Calls that do not have the form of their schema. */
const MALFORMED: readonly Call[] = [
  ['procuraDecide', {}, 'arguments.shown'],
  ['procuraDecide', { shown: 'x' }, 'arguments.request'],
  ['procuraDecide', { shown: 5, request: REQUEST }, 'arguments.shown'],
  ['procuraDecide', { shown: { proof: 'x', more: 1 }, request: REQUEST }, 'arguments.shown'],
  ['procuraDecide', { shown: 'x', request: REQUEST, reserve: 'yes' }, 'arguments.reserve'],
  ['procuraDecide', { shown: 'x', request: REQUEST, policy: {} }, 'arguments'],
  ['procuraDecide', { shown: 'x', request: { ...REQUEST, self: SELF } }, 'arguments.request'],
  ['procuraDecide', { shown: 'x', request: { ...REQUEST, params: [] } }, 'arguments.request.params'],
  ['procuraExplain', { shown: 'x', request: REQUEST, record: true }, 'arguments'],
  ['procuraCommit', {}, 'arguments.decisionId'],
  ['procuraRelease', { decisionId: 1 }, 'arguments.decisionId'],
  ['procuraDelegate', { as: 'planner', ttl: 60, grants: [GRANT] }, 'arguments.to'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, grants: [GRANT] }, 'arguments.ttl'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, ttl: 60 }, 'arguments.grants'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, ttl: 0.5, grants: [GRANT] }, 'arguments.ttl'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, ttl: 86_401, grants: [GRANT] }, 'arguments.ttl'],
  ['procuraDelegate', { as: '', to: mallory.did, ttl: 60, grants: [GRANT] }, 'arguments.as'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, ttl: 60, grants: ['all'] }, 'arguments.grants.0'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, ttl: 60, grants: [GRANT], hop: 0 }, 'arguments'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, ttl: 60, grants: [GRANT], statusIssuers: [] }, 'arguments'],
  ['procuraPresent', { ...PRESENT, as: undefined }, 'arguments.as'],
  ['procuraPresent', { ...PRESENT, approval: 'x' }, 'arguments'],
  ['procuraPresent', { ...PRESENT, params: null }, 'arguments.params'],
]
/** What a JSON Schema of Veramo's draft cannot tell, so that we tell it either way. */
const SUBTLE: readonly Call[] = [
  ['procuraDelegate', { as: 'planner', to: 'planner', ttl: 60, grants: [GRANT] }, 'arguments.to'],
  ['procuraDelegate', { as: 'planner', to: mallory.did, key: 'x', ttl: 60, grants: [GRANT] }, 'arguments.key'],
  ['procuraPresent', { ...PRESENT, bodyDigest: 'x' }, 'arguments.bodyDigest'],
  ['procuraPresent', { ...PRESENT, resource: `${SELF}/bookings/../users` }, 'arguments.resource'],
]

describe('malformed arguments', () => {
  /** What an agent answers to calls: the error's name, code and place. */
  async function answers(calls: readonly Call[], schemaValidation: boolean): Promise<readonly string[]> {
    const agent = agentWith({ verifier, wallet }, schemaValidation)
    return Promise.all(
      calls.map(async ([method, args]) => {
        const error: unknown = await agent.execute(method, args).then(
          () => 'no error',
          (thrown: unknown) => thrown,
        )
        if (isProcuraError(error)) return `${method} ${error.code} ${String(error.facts['at'])}`
        return `${method} ${error instanceof Error ? error.name : String(error)}`
      }),
    )
  }
  const refused = (calls: readonly Call[]) => calls.map(([method, , at]) => `${method} SCHEMA ${at}`)

  test('are refused with SCHEMA, which says where', async () => {
    const calls = [...MALFORMED, ...SUBTLE]
    expect(await answers(calls, false)).toEqual(refused(calls))
  })

  test('are refused by Veramo itself where the agent validates schemas; what a schema cannot tell, by us', async () => {
    expect(await answers(MALFORMED, true)).toEqual(MALFORMED.map(([method]) => `${method} ValidationError`))
    expect(await answers(SUBTLE, true)).toEqual(refused(SUBTLE))
  })

  test('what goes round is not signed', async () => {
    const round: { self?: unknown } = {}
    round.self = round
    const present = agentWith().execute('procuraPresent', { ...PRESENT, params: round })
    await expect(present).rejects.toThrow(coded('JSON_DEPTH'))
    const delegate = agentWith().execute('procuraDelegate', delegation({ purpose: round }))
    await expect(delegate).rejects.toThrow(coded('JSON_DEPTH'))
  })
})

describe('what is exposed', () => {
  const VERIFIES = ['procuraDecide', 'procuraCommit', 'procuraRelease']
  const HOLDS = ['procuraReceive', 'procuraDelegate', 'procuraPresent']

  test.each<[string, () => ProcuraPluginOptions, readonly string[]]>([
    ['a verifier and a wallet', () => ({ verifier, wallet }), [...VERIFIES, 'procuraExplain', ...HOLDS]],
    ['a verifier', () => ({ verifier }), [...VERIFIES, 'procuraExplain']],
    ['a verifier at a service', () => ({ verifier: { ...verifier, explain: undefined } as never }), VERIFIES],
    ['a wallet', () => ({ wallet }), HOLDS],
  ])('with %s', async (_, options, methods) => {
    const agent = agentWith(options())
    expect(agent.availableMethods()).toEqual(methods)
    expect(Object.keys(agent.getSchema().components.methods as object).sort()).toEqual([...methods].sort())
    const missing = [...VERIFIES, 'procuraExplain', ...HOLDS].filter(name => !methods.includes(name))
    for (const name of missing) {
      expect(agent).not.toHaveProperty(name)
      await expect(agent.execute(name, {})).rejects.toThrow(`Method not available: ${name}`)
    }
  })

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['neither', {}],
    ['a promise of a verifier', { verifier: Promise.resolve() }],
    ['a promise of a wallet beside a verifier', { verifier: { decide: () => null }, wallet: Promise.resolve() }],
    ['no wallet', { wallet: null }],
  ])('%s is no plugin', (_, options) => {
    expect(() => new ProcuraPlugin(options as ProcuraPluginOptions)).toThrow(coded('CONFIG_INVALID'))
  })

  test('no more than the agent authorises', async () => {
    const plugins = [new ProcuraPlugin({ verifier, wallet })]
    const agent = createAgent<ProcuraMethods>({ plugins, authorizedMethods: ['procuraDecide'], schemaValidation: true })
    expect(agent.availableMethods()).toEqual(['procuraDecide'])
    await expect(agent.execute('procuraPresent', PRESENT)).rejects.toThrow('Method not available: procuraPresent')
    const shown = await handedOn()
    expect(await agent.procuraDecide({ shown, request: REQUEST })).toMatchObject({ allow: true })
  })

  test('two plugins make one agent; schemas of others stay what they are', async () => {
    const did = new DIDManager({ store: new MemoryDIDStore(), providers: {}, defaultProvider: 'did:key' })
    const agent = createAgent<ProcuraMethods>({
      plugins: [did, new ProcuraPlugin({ verifier }), new ProcuraPlugin({ wallet })],
      schemaValidation: true,
    })
    const { components } = agent.getSchema() as { components: { schemas: Record<string, unknown> } }
    const { schemas } = did.schema.components as { schemas: Record<string, unknown> }
    expect(components.schemas).toMatchObject(schemas)
    const shown = await handedOn(agent)
    expect(await agent.procuraDecide({ shown, request: REQUEST })).toMatchObject({ allow: true })
    expect(await agent.execute('didManagerFind', {})).toEqual([])
  })

  test('every name in a schema is one of it', () => {
    const { schema } = new ProcuraPlugin({ verifier, wallet })
    const { schemas } = schema.components as { schemas: Record<string, unknown> }
    const named = [...JSON.stringify(schema).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
      ([, name]) => name,
    )
    expect(Object.keys(schemas).sort()).toEqual(named.sort())
  })
})

test('an agent.yml names the plugin as it names the provider', async () => {
  const entry = [
    '        - $require: procura/veramo?t=class#ProcuraPlugin',
    '          $args: [{ verifier: { $require: procura/veramo?t=object#verifier } }]',
  ]
  const text = readFileSync(AGENT_YML, 'utf8').replace(/( +- \$ref: \/credentials\n)/, `$1${entry.join('\n')}\n`)
  const store = await openStore('sqlite::memory:')
  const own = (await registryOf(store))['procura/veramo']
  const registry = { 'procura/veramo': { ...own, ProcuraPlugin, verifier } }
  const agent = await createVeramoAgent(await readAgentFile(file(text), {}), registry)
  expect(agent.availableMethods()).toContain('procuraDecide')
  const shown = await handedOn()
  expect(await agent.execute('procuraDecide', { shown, request: REQUEST })).toMatchObject({ allow: true })
  await store.close()
})
