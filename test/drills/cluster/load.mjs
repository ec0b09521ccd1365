// Grants, delegates, revokes, stops, asks, charges and commits until it is told to end, and writes down each answer.
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { openIssuer } from '../../../dist/entry/issuer.js'
import { openWallet } from '../../../dist/entry/wallet.js'
import { instant } from './machine.mjs'

export const API = 'https://api.drill.example'
const ACTIONS = /** @type {const} */ (['read', 'book', 'pay', 'erase'])
/** Who works unless told otherwise. */
const ALL = ['grant', 'grant', 'delegate', 'revoke', 'stop', 'verify', 'verify', 'verify', 'wrong', 'race', 'spend']
/** Cents that one credential may spend. */
export const BUDGET = 1000
/** Credentials that are asked for again: those that stand, and those that were taken back. */
const KEPT = 120
/** Milliseconds after which a request counts as never answered. */
const PATIENCE = 60_000
/** How long a presentation that was used is tried again, in milliseconds: longer than it is remembered. */
const REPLAYED_FOR = 200_000

const grants = [
  { resource: `${API}/rooms/**`, actions: [...ACTIONS] },
  {
    resource: `${API}/shop/**`,
    actions: ['buy'],
    args: { amount: { op: 'range', min: 1, max: BUDGET, req: true }, currency: { op: 'eq', value: 'USD', req: true } },
  },
]
const budgets = [{ unit: 'USD', decimals: 2, max: BUDGET, meter: 'amount', unitArg: 'currency' }]

/** @typedef {{ digests: string[], agent: import('../../../dist/entry/wallet.js').WalletAgent, by: import('../../../dist/entry/wallet.js').WalletAgent | null, did: string | null }} Held */

/**
 * @param {object} where
 * @param {string} where.folder @param {string} where.origin of the issuing service
 * @param {string} where.issuers address @param {string} where.verifiers address @param {readonly string[]} where.each addresses of the verifiers
 * @param {string} where.secret @param {(entry: any) => void} where.tell @param {(urls: string[]) => void} where.onLists
 * @param {number} where.pace milliseconds between two calls of one worker
 * @param {readonly string[]} [where.work] names of the workers, one as often as it is there
 */
export async function startLoad({
  folder,
  origin,
  issuers,
  verifiers,
  each,
  secret,
  tell,
  onLists,
  pace,
  work: asked = ALL,
}) {
  const connect = { [origin]: issuers }
  const root = /** @type {import('procura').Did} */ (`did:web:${new URL(origin).host}`)
  const issuer = await openIssuer({ service: origin, storage: `sqlite://${join(folder, 'operator.db')}`, connect })
  const wallet = await openWallet({ storage: 'sqlite::memory:', roots: [root], service: origin, connect })
  const agents = await Promise.all(Array.from({ length: 6 }, (_, n) => wallet.createAgent({ name: `agent ${n}` })))
  for (const { did } of agents) await issuer.register({ kind: 'person', did, name: did.slice(-8) })
  /** @type {Held[]} */
  const live = []
  /** @type {Held[]} */
  const gone = []
  /** @type {{ n: number, body: object, until: number }[]} */
  const used = []
  let isOver = false
  let count = 0

  /** @template T @param {readonly T[]} all @returns {T} */
  const one = all => {
    const found = all[Math.floor(Math.random() * all.length)]
    if (found === undefined) throw new Error('none')
    return found
  }
  /** @template T @param {T[]} all @param {T} added */
  const keep = (all, added) => {
    all.push(added)
    if (all.length > KEPT) all.splice(Math.floor(Math.random() * KEPT), 1)
  }
  /** @param {string} token */
  const placesOf = token => {
    const { credentialStatus = [] } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    const places = [credentialStatus].flat().map(entry => [entry.statusListCredential, Number(entry.statusListIndex)])
    onLists(places.map(([url]) => url))
    return places
  }
  /** @param {string} address @param {string} path @param {object} body */
  const post = async (address, path, body) => {
    const sent = instant()
    try {
      const response = await fetch(`${address}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(PATIENCE),
      })
      const text = await response.text()
      const answer = response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : {}
      return { sent, done: instant(), status: response.status, answer }
    } catch (error) {
      return { sent, done: instant(), status: 0, answer: { code: codeOf(error) } }
    }
  }
  /** A call of the client's: it tries again by itself. @template T @param {string} what @param {() => Promise<T>} ask */
  const call = async (what, ask) => {
    const sent = instant()
    try {
      const answer = await ask()
      return { sent, done: instant(), answer }
    } catch (error) {
      tell({ what: 'call', kind: what, sent, done: instant(), ok: false, code: codeOf(error) })
      return null
    }
  }
  /** @param {string} kind @param {number} sent @param {number} done */
  const answered = (kind, sent, done) => tell({ what: 'call', kind, sent, done, ok: true })

  /** @param {object[]} [limits] */
  async function grant(limits) {
    const agent = one(agents)
    const authority = {
      more: 2,
      audience: [API],
      ...(limits === undefined ? { grants } : { grants: [grants[1]], budgets: limits }),
    }
    const granted = await call('grant', () =>
      issuer.grant({ to: agent.did, ttl: 7200, authority: /** @type {any} */ (authority) }),
    )
    if (granted === null) return null
    const { digest, credential } = granted.answer
    answered('grant', granted.sent, granted.done)
    tell({ what: 'grant', digest, places: placesOf(credential), done: granted.done })
    const held = await call('receive', () => agent.receive(credential))
    return held === null ? null : { digests: [digest], agent, by: null, did: null }
  }

  const workers = {
    async grant() {
      const held = await grant()
      if (held !== null) keep(live, held)
    },

    /** One that the service never saw: its index was leased. */
    async delegate() {
      const parent = one(live.filter(({ by, did }) => by === null && did === null))
      const agent = one(agents.filter(other => other !== parent.agent))
      const made = await call('delegate', () => parent.agent.delegate({ to: agent.did, ttl: 3600, grants: [/** @type {any} */ (grants[0])], chain: parent.digests[0] })) // prettier-ignore
      if (made === null) return
      answered('delegate', made.sent, made.done)
      const { chain, digest } = made.answer
      tell({ what: 'delegate', digest, places: placesOf(chain.at(-1) ?? '') })
      if ((await call('receive', () => agent.receive(chain))) === null) return
      keep(live, { digests: [...parent.digests, digest], agent, by: parent.agent, did: null })
    },

    async revoke() {
      if (live.length < 12) return
      const held = one(live)
      const digest = held.digests.at(-1) ?? ''
      live.splice(live.indexOf(held), 1)
      const revoked = await call('revoke', () => (held.by === null ? issuer.revoke(digest) : held.by.revoke(digest)))
      // what was not acknowledged may have happened
      if (revoked === null) return
      answered('revoke', revoked.sent, revoked.done)
      const { list, index, version } = /** @type {any} */ (revoked.answer)
      tell({ what: 'revoke', digest, list, index, version, done: revoked.done })
      keep(gone, held)
      // what hangs below it is gone as well
      for (const below of live.filter(({ digests }) => digests.includes(digest))) {
        live.splice(live.indexOf(below), 1)
        keep(gone, below)
      }
    },

    /** The kill switch, for an agent that lives for this. */
    async stop() {
      count += 1
      const agent = await wallet.createAgent({ name: `stopped ${count}` })
      const said = { operator: root, autonomy: 'L1', risk: 'low' }
      const made = await call('register', () =>
        issuer.register({ kind: 'agent', did: agent.did, name: 'to be stopped', agent: said }),
      )
      if (made === null) return
      answered('register', made.sent, made.done)
      tell({ what: 'register', did: agent.did, done: made.done })
      const granted = await call('grant', () =>
        issuer.grant({
          to: agent.did,
          ttl: 7200,
          authority: /** @type {any} */ ({ audience: [API], grants: [grants[0]] }),
        }),
      )
      if (granted === null) return
      const { digest, credential } = granted.answer
      answered('grant', granted.sent, granted.done)
      tell({ what: 'grant', digest, places: placesOf(credential), done: granted.done })
      if ((await call('receive', () => agent.receive(credential))) === null) return
      const held = { digests: [digest], agent, by: null, did: agent.did }
      await show(held, 'book')
      const stopped = await call('stop', () => issuer.api.revoke({ body: { agent: agent.did } }))
      if (stopped === null) return
      answered('stop', stopped.sent, stopped.done)
      tell({ what: 'stop', did: agent.did, digest, done: stopped.done })
      keep(gone, held)
    },

    async verify() {
      await show(one(Math.random() < 0.5 || gone.length === 0 ? live : gone), one(ACTIONS))
    },

    /** What must never be allowed: signed for another resource, or changed on the way. */
    async wrong() {
      const { digests, agent } = one(live)
      count += 1
      const request = requestOf(`rooms/${count}`, 'read')
      const presentation = await agent.present({ ...request, audience: API, bodyDigest: null, chain: digests.at(-1) })
      const other = { ...request, resource: `${API}/rooms/other`, url: `${API}/rooms/other` }
      const body =
        Math.random() < 0.5 ? { presentation, request: other } : { presentation: forge(presentation), request }
      const { sent, done, status, answer } = await post(verifiers, '/v1/verify', body)
      tell({ what: 'wrong', sent, done, status, allow: answer.allow === true, code: answer.code ?? null })
    },

    /** One presentation, shown to all verifiers at once, and again later. */
    async race() {
      const again = used.find(({ until }) => until > instant())
      if (again !== undefined && Math.random() < 0.3) return raceWith(one(used))
      const { digests, agent } = one(live)
      const n = (count += 1)
      const request = requestOf(`rooms/race-${n}`, 'read')
      const presentation = await agent.present({ ...request, audience: API, bodyDigest: null, chain: digests.at(-1) })
      const racing = { n, body: { presentation, request }, until: instant() + REPLAYED_FOR }
      keep(used, racing)
      return raceWith(racing)
    },

    /** Charges one budget from many sides until it is spent. */
    async spend() {
      const held = await grant(budgets)
      if (held === null) return
      const [digest = ''] = held.digests
      tell({ what: 'budget', digest, max: BUDGET, done: instant() })
      let isSpent = false
      await Promise.all(
        each.map(async address => {
          for (let n = 0; n < 40 && !isSpent && !isOver; n += 1) {
            count += 1
            const params = { amount: 1 + Math.floor(Math.random() * 90), currency: 'USD' }
            const request = { ...requestOf(`shop/${count}`, 'buy'), params }
            const presentation = await held.agent.present({
              ...request,
              audience: API,
              bodyDigest: null,
              chain: digest,
            })
            const reserve = Math.random() < 0.6
            const { sent, done, status, answer } = await post(address, '/v1/verify', { presentation, request, reserve })
            const { decisionId, code = null } = answer
            const allow = answer.allow === true
            tell({ what: 'charge', digest, amount: params.amount, id: decisionId, sent, done, status, allow, code })
            tell({
              what: 'call',
              kind: 'charge',
              sent,
              done,
              ok: allow || code === 'BUDGET_EXHAUSTED',
              code: code ?? status,
            })
            if (code === 'BUDGET_EXHAUSTED' && params.amount < 10) isSpent = true
            if (allow && reserve && Math.random() < 0.9)
              await close(decisionId, Math.random() < 0.6 ? 'commit' : 'release')
            await setTimeout(pace)
          }
        }),
      )
    },
  }

  /** @param {string} id @param {'commit' | 'release'} to */
  async function close(id, to) {
    const { sent, done, status, answer } = await post(verifiers, `/v1/${to}`, { decisionId: id })
    tell({ what: 'close', id, to, sent, done, status, allow: answer.allow === true, code: answer.code ?? null })
    tell({ what: 'call', kind: to, sent, done, ok: answer.allow === true, code: answer.code ?? status })
  }

  /** @param {Held} held @param {typeof ACTIONS[number]} action */
  async function show({ digests, agent }, action) {
    count += 1
    const request = requestOf(`rooms/${count}`, action)
    const presentation = await agent.present({ ...request, audience: API, bodyDigest: null, chain: digests.at(-1) })
    const isLive = live.some(other => other.digests === digests)
    const { sent, done, status, answer } = await post(verifiers, '/v1/verify', { presentation, request })
    const { decisionId: id, code = null } = answer
    const allow = answer.allow === true
    tell({ what: 'verify', digests, action, id, sent, done, status, allow, code })
    // of those that stand nothing but a yes is due
    if (isLive && live.some(other => other.digests === digests))
      tell({ what: 'call', kind: 'verify', sent, done, ok: allow, code: code ?? status })
  }

  /** @param {{ n: number, body: object }} racing @param {readonly string[]} [to] */
  async function raceWith({ n, body }, to = each) {
    const all = await Promise.all(to.map(address => post(address, '/v1/verify', body)))
    for (const { sent, done, status, answer } of all)
      tell({
        what: 'race',
        n,
        id: answer.decisionId,
        sent,
        done,
        status,
        allow: answer.allow === true,
        code: answer.code ?? null,
      })
  }

  /** @type {Promise<unknown>[]} */
  let loads = []
  const begin = () => {
    isOver = false
    loads = asked.map(async name => {
      const work = workers[/** @type {keyof typeof workers} */ (name)]
      const rest = name.startsWith('verify') ? 1 : 3
      while (!isOver) {
        try {
          await work()
        } catch (error) {
          if (!(error instanceof Error && error.message === 'none'))
            tell({ what: 'defect', name, why: String(error instanceof Error ? error.stack : error) })
        }
        await setTimeout(pace * rest * (0.5 + Math.random()))
      }
    })
  }
  const rest = async () => {
    isOver = true
    await Promise.all(loads)
  }
  // something to begin with
  for (let n = 0; n < 6; n += 1) await workers.grant()
  begin()
  return {
    rest,
    begin,
    /** Asks once more for all that was taken back; forgets what was used and what stands if `isNew`. @param {boolean} isNew */
    async askAgain(isNew) {
      for (const held of gone) await show(held, 'erase')
      if (isNew) for (const all of [used, live]) all.length = 0
    },
    /** Shows what was used once more, to one verifier. @param {string} address */
    async replay(address) {
      for (let from = 0; from < used.length; from += 10)
        await Promise.all(used.slice(from, from + 10).map(racing => raceWith(racing, [address])))
    },
    async end() {
      await rest()
      await issuer.close()
      await wallet.close()
    },
  }
}

/** @param {string} path @param {string} action */
function requestOf(path, action) {
  return { method: 'POST', url: `${API}/${path}`, action, resource: `${API}/${path}`, params: {} }
}

/** Another signature of the same length. @param {string} token */
function forge(token) {
  const at = token.lastIndexOf('.') + 5
  return `${token.slice(0, at)}${token[at] === 'A' ? 'B' : 'A'}${token.slice(at + 1)}`
}

/** @param {any} error */
function codeOf(error) {
  return String(error?.code ?? error?.cause?.code ?? error?.name ?? error)
}
