// @ts-check
// A planner with tools, and sub-agents that use them: one for each task, with what the task needs and no more.
//   node examples/agent-loop.js                     prints the DIDs of the planner and of the person who approves
//   node examples/agent-loop.js granted.ndjson      receives what grant-csv.js printed, and works
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { isProcuraError } from 'procura'
import { openWallet } from 'procura/wallet'
import { z } from 'zod'
import { plannerOf } from './agent-loop/planner.js'

/** @import { GrantJson } from 'procura' */
/** @import { AgentResponse, WalletAgent } from 'procura/wallet' */
/** @import { Observation, Task } from './agent-loop/planner.js' */

const TRIPS = 'https://trips.example'
const PAY = 'https://pay.example'

/**
 * A tool as a model is shown it, what an agent must be granted to use it, and the call.
 *
 * @template {z.ZodObject} S
 * @param {object} said
 * @param {string} said.description
 * @param {S} said.schema
 * @param {GrantJson} said.needs
 * @param {(agent: WalletAgent, input: z.infer<S>, approval?: string) => Promise<AgentResponse>} said.call
 */
const tool = ({ description, schema, needs, call }) => ({
  description,
  schema: z.toJSONSchema(schema),
  needs,
  /** @param {WalletAgent} agent @param {unknown} input @param {string} [approval] */
  use: async (agent, input, approval) => call(agent, schema.parse(input), approval),
})

const amount = /** @type {const} */ ({ op: 'range', min: 0, max: 50_000, req: true }) // what the traveller set, in cents
const trip = z.string().regex(/^[A-Z]{3}-\d+$/).describe('the trip, SYD-1 for example') // prettier-ignore
const cents = z.int().min(0)

/** @type {Readonly<Record<string, ReturnType<typeof tool>>>} */
const TOOLS = {
  quote_trip: tool({
    description: 'Says what a trip costs, in cents',
    schema: z.strictObject({ trip }),
    needs: { resource: `${TRIPS}/trips/**`, actions: ['quote'] },
    call: (agent, { trip }) => agent.fetch(`${TRIPS}/trips/${trip}`, { authority: { action: 'quote', params: {} } }),
  }),
  book_trip: tool({
    description: 'Books a trip',
    schema: z.strictObject({ trip, amount: cents }),
    needs: { resource: `${TRIPS}/trips/**`, actions: ['book'], args: { amount } },
    call(agent, { trip, ...body }) {
      const authority = { action: 'book', params: body }
      return agent.fetch(`${TRIPS}/trips/${trip}`, { method: 'POST', body, authority })
    },
  }),
  pay: tool({
    description: 'Pays; a person approves each payment',
    schema: z.strictObject({ amount: cents, currency: z.string().length(3).optional() }),
    needs: { resource: `${PAY}/payments`, actions: ['pay'], perCall: true },
    call(agent, body, approval) {
      const authority = { action: 'pay', params: /** @type {import('procura').JsonObject} */ (body) }
      return agent.fetch(`${PAY}/payments`, { method: 'POST', body, authority, ...(approval && { approval }) })
    },
  }),
}

const Granted = z.object({ did: z.string(), credential: z.string() })
const granted = process.argv[2]
const addresses = {
  'https://procura.example': process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080',
  [TRIPS]: process.env.TRIPS_ADDRESS ?? 'http://127.0.0.1:8082',
  [PAY]: process.env.PAY_ADDRESS ?? 'http://127.0.0.1:8083',
}
const wallet = await openWallet({
  storage: 'sqlite://data/var/loop.db',
  roots: ['did:web:procura.example'],
  connect: addresses,
})
// a person's wallet: on a phone, not in the agent's program
const person = await openWallet({
  storage: 'sqlite://data/var/person.db',
  roots: [],
  async confirm({ action, resource, display }) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr })
    const answer = await terminal.question(`approve ${action} ${resource} ${JSON.stringify(display)}? [y/N] `)
    terminal.close()
    return answer === 'y'
  },
})
const open = (/** @type {typeof wallet} */ where, /** @type {string} */ name) =>
  where.agent(name).catch(() => where.createAgent({ name }))
const planner = await open(wallet, 'planner')
const traveller = await open(person, 'traveller')
if (granted === undefined) {
  console.log(planner.did, traveller.did)
} else {
  for (const line of readFileSync(granted, 'utf8').trim().split('\n')) {
    const { did, credential } = Granted.parse(JSON.parse(line))
    if (did === planner.did) await planner.receive(credential)
  }
  for (const task of plannerOf()) await run(task)
}
await wallet.close()
await person.close()

/** One task: a sub-agent of its own, which ends with it, and the loop. @param {Task} task */
async function run({ goal, tools, next }) {
  const agent = await wallet.createAgent({ name: `${goal} ${randomUUID()}`, ephemeral: true, ttl: '5m' })
  try {
    for (const name of tools) {
      const needs = TOOLS[name]?.needs
      if (needs === undefined) throw new Error(`no tool ${name}`)
      const audience = [new URL(needs.resource).origin]
      await agent.receive((await planner.delegate({ to: agent.did, audience, grants: [needs], ttl: '5m' })).chain)
    }
    console.log(`${goal}: ${agent.did} with ${tools.join(', ')}`)
    /** @type {Observation | null} */
    let seen = null
    for (let call = next(seen); call !== null; call = next(seen)) {
      seen = call.tool === 'ask_person' ? await ask(seen) : await use(agent, call)
      console.log(`  ${call.tool} ${JSON.stringify(call.input)} → ${JSON.stringify(seen)}`)
    }
  } finally {
    await agent.end()
  }
}

/** Uses a tool. Whatever comes of it is something the planner can go on from. @param {WalletAgent} agent @param {import('./agent-loop/planner.js').ToolCall} call @returns {Promise<Observation>} */
async function use(agent, { tool: name, input, approval }) {
  const one = TOOLS[name]
  if (one === undefined) return { refused: { code: null, advice: 'no such tool' } }
  try {
    const response = await one.use(agent, input, approval)
    if (response.refusal === null)
      return { status: response.status, result: /** @type {{ price?: number }} */ (await response.json()) }
    const { code, detail, advice, approval: required } = response.refusal
    return { refused: { code, advice: advice ?? detail, approval: required } }
  } catch (error) {
    if (error instanceof z.ZodError) return { refused: { code: null, advice: z.prettifyError(error) } }
    // its own wallet would not sign that: nothing was sent
    if (isProcuraError(error)) return { refused: { code: error.code, advice: error.message } }
    throw error
  }
}

/** Asks the person to approve what was refused for want of it. @param {Observation | null} seen @returns {Promise<Observation>} */
async function ask(seen) {
  const required = seen?.refused?.approval
  if (!required) return { refused: { code: null, advice: 'there is nothing to approve' } }
  try {
    return { approval: await person.approve(required) }
  } catch (error) {
    if (isProcuraError(error)) return { refused: { code: error.code, advice: error.message } }
    throw error
  }
}
