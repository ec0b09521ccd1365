// The mixed load of bench/soak.js: what agents, resource servers and readers ask of a service, each with the outcome that is
// due.
import { once } from 'node:events'
import { get } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { isProcuraError } from 'procura'
import { createClient } from 'procura/client'
import { remoteVerifier } from 'procura/verifier'
import { delegated, GRANTS, newParty, now, presented, proved, REQUEST, SELF } from './tokens.js'

/** @import { OpenIssuer } from 'procura/issuer' */
/** @import { Party, Place } from './tokens.js' */
/** @typedef {{ key: Party, root: readonly string[], places: Place[], children: Child[] }} Agent */
/** @typedef {{ key: Party, chain: readonly string[], until: number }} Child */
/** @typedef {{ service: string, address: string, secret: string, issuer: OpenIssuer }} Where */

/** Agents that call at any time. */
const AGENTS = 64
/** Chains handed in and delegations with a status that an agent has at any time. */
const CHILDREN = 4
/** What is refused that was taken back, and whose giver may have been retired since. */
const ENDED = ['STATUS_REVOKED', 'AGENT_KILLED']
/** What a stranger is refused with. */
const STRANGER = 'CALLER_FORBIDDEN'
/** Seconds that what is given without a status lives. */
const SHORT = 290

/** @param {Where} where */
export async function createLoad({ service, address, secret, issuer }) {
  const connect = { [service]: address }
  const verifier = remoteVerifier({ self: SELF, service, secret, connect })
  const anyone = createClient({ service, connect })
  const clientOf = (/** @type {Party} */ signer) => createClient({ service, connect, signer })
  /** @type {Agent[]} */
  const agents = []
  /** Delegations that nobody has taken back. @type {{ agent: Agent, child: Child }[]} */
  const given = []
  /** Those that were. @type {Child[]} */
  const dead = []
  /** Presentations that were used, and when. @type {{ token: string, at: number }[]} */
  const used = []
  /** Status lists, and the ETag that each had. @type {Map<string, string>} */
  const lists = new Map()
  let names = 0

  async function newAgent() {
    const key = newParty()
    names += 1
    await issuer.register({ kind: 'person', did: key.did, name: `agent ${names}` })
    const authority = { more: 2, audience: [SELF], grants: GRANTS }
    const { credential } = await issuer.grant({ to: key.did, ttl: 7200, authority })
    for (const url of urlsIn(credential)) if (!lists.has(url)) lists.set(url, '')
    return { key, root: [credential], places: [], children: [] }
  }

  for (let n = 0; n < AGENTS; n += 1) agents.push(await newAgent())

  const anAgent = () => /** @type {Agent} */ (agents[Math.floor(Math.random() * agents.length)])

  /** @param {string | { proof: string }} shown @param {...string} codes of the refusals that are due; none: a yes */
  async function decided(shown, ...codes) {
    requireDue(await verifier.decide(shown, REQUEST), codes)
  }

  /** A chain that no verifier has seen, for a DID that nobody has seen. */
  async function fresh() {
    const { key: from, root } = anAgent()
    const key = newParty()
    return { key, chain: await delegated(root, from, key, SHORT), until: now() + SHORT - 30 }
  }

  /** A child of some agent that was handed in, else `null`. */
  function handedIn() {
    const { children } = anAgent()
    const found = children.findLast(({ until, chain }) => until > now() && chain.length === 2)
    return found ?? null
  }

  const works = {
    async 'verify, a new chain'() {
      const { key, chain } = await fresh()
      const token = await presented(key, chain)
      await decided(token)
      used.push({ token, at: now() })
      if (used.length > 100) used.shift()
    },
    async 'verify, a known chain'() {
      const { key, root } = anAgent()
      await decided(await presented(key, root))
    },
    async 'verify, by reference'() {
      const child = handedIn()
      if (child === null) return works['hand a chain in']()
      await decided({ proof: await proved(child.key, child.chain) })
    },
    async 'hand a chain in'() {
      const agent = anAgent()
      const key = newParty()
      const chain = await delegated(agent.root, agent.key, key, SHORT)
      await verifier.keepChain(chain)
      agent.children.push({ key, chain, until: now() + SHORT - 30 })
      if (agent.children.length > CHILDREN) agent.children.shift()
    },
    async 'refuse: used before'() {
      const last = used.pop()
      // one that is a minute old has expired
      if (last === undefined || last.at < now() - 30) return works['verify, a new chain']()
      await decided(last.token, 'PRESENTATION_REPLAYED', ...ENDED)
    },
    async 'refuse: another action'() {
      const { key, root } = anAgent()
      await decided(await presented(key, root, 'read'), 'REQUEST_ACTION')
    },
    async 'refuse: taken back'() {
      const child = dead.find(({ until }) => until > now())
      if (child === undefined) return works['refuse: another action']()
      await decided(await presented(child.key, child.chain), ...ENDED)
    },
    async 'refuse: a stranger calls'() {
      const key = newParty()
      const code = await clientOf(key)
        .subject({ params: { did: key.did } })
        .then(
          () => 'an answer',
          (/** @type {unknown} */ error) => (isProcuraError(error) ? error.code : String(error)),
        )
      if (code !== STRANGER) throw new Error(`${STRANGER} was due, and ${code} came`)
    },
    async 'reserve, then commit or release'() {
      const { key, root } = anAgent()
      const decision = await verifier.decide(await presented(key, root), REQUEST, { reserve: true })
      requireDue(decision, [])
      const { decisionId } = decision
      const done = Math.random() < 0.5 ? await verifier.commit(decisionId) : await verifier.release(decisionId)
      if (!done.allow) throw new Error(`the reservation was not closed: ${done.code}`)
    },
    async 'register and grant'() {
      const made = await newAgent()
      const [before] = agents.splice(Math.floor(Math.random() * agents.length), 1, made)
      // what is under way with it ends as it began
      await setTimeout(5000)
      if (before !== undefined) await issuer.api.retire({ params: { did: before.key.did }, body: {} })
    },
    async 'lease and delegate'() {
      const agent = anAgent()
      const body = { chain: [...agent.root], count: 8 }
      if (agent.places.length === 0) {
        const { indexes } = await clientOf(agent.key).allocate({ body })
        agent.places.push(...indexes)
      }
      const key = newParty()
      const chain = await delegated(agent.root, agent.key, key, 1800, agent.places.shift())
      await decided(await presented(key, chain))
      given.push({ agent, child: { key, chain, until: now() + 1700 } })
    },
    async 'take a delegation back'() {
      const found = given.shift()
      if (found === undefined) return works['lease and delegate']()
      const { agent, child } = found
      if (!agents.includes(agent)) return
      await clientOf(agent.key).revoke({ body: { chain: [...child.chain] } })
      dead.unshift(child)
      if (dead.length > 50) dead.pop()
    },
    async 'a page of the feed'() {
      await anyone.events({ query: { after: '0', limit: '50' } })
    },
    async 'a status list'() {
      const [url, etag = ''] = [...lists][Math.floor(Math.random() * lists.size)] ?? []
      if (url === undefined) return
      const answer = await fetch(url.replace(service, address), {
        headers: etag === '' ? {} : { 'if-none-match': etag },
      })
      await answer.arrayBuffer()
      if (answer.status !== 200 && answer.status !== 304) throw new Error(`a list: ${answer.status}`)
      lists.set(url, answer.headers.get('etag') ?? '')
    },
    async 'ask the audit log'() {
      const { key } = anAgent()
      await issuer.api.audit({ query: { agent: key.did, limit: '20' } })
    },
    async 'metadata, document, probes, figures'() {
      await Promise.all([anyone.metadata(), anyone.didDocument(), anyone.readyz(), anyone.metrics()])
    },
  }
  return works
}

/** @param {import('procura/verifier').Decision} decision @param {readonly string[]} codes */
function requireDue(decision, codes) {
  if (decision.allow ? codes.length === 0 : codes.includes(decision.code)) return
  throw new Error(`${codes.join(' or ') || 'a yes'} was due, and ${decision.allow ? 'a yes' : decision.code} came`)
}

/**
 * Readers of the feed until the signal: three that stay, and one that breaks off and comes back.
 *
 * @param {string} address @param {AbortSignal} until
 */
export async function readFeed(address, until) {
  const read = async (/** @type {AbortSignal} */ signal) => {
    const answer = await fetch(`${address}/v1/events`, { headers: { accept: 'text/event-stream' }, signal })
    let bytes = 0
    for await (const chunk of /** @type {AsyncIterable<Uint8Array>} */ (answer.body)) bytes += chunk.length
    return bytes
  }
  const returning = async () => {
    while (!until.aborted) await read(AbortSignal.any([until, AbortSignal.timeout(20_000)])).catch(() => undefined)
  }
  const staying = () => read(until).catch(() => undefined)
  await Promise.all([staying(), staying(), staying(), returning()])
}

/** So many streams of the feed at once. @param {string} address @param {number} count @returns {Promise<() => void>} ends them */
export async function readAsMany(address, count) {
  /** @type {import('node:http').ClientRequest[]} */
  const all = []
  const streams = Array.from({ length: count }, async () => {
    const asked = get(`${address}/v1/events`, { headers: { accept: 'text/event-stream' }, agent: false })
    asked.on('error', () => undefined)
    all.push(asked)
    const answered = /** @type {Promise<[import('node:http').IncomingMessage]>} */ (once(asked, 'response'))
    const [answer] = await answered
    answer.on('error', () => undefined).resume()
  })
  await Promise.all(streams)
  return () => all.forEach(one => one.destroy())
}

/** @param {string} token */
function urlsIn(token) {
  const text = Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()
  return [...text.matchAll(/"statusListCredential":"([^"]+)"/g)].map(([, url]) => url ?? '')
}
