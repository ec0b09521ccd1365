import type { FastifyInstance } from 'fastify'
import { fileAudit } from '../adapters/audit/file.js'
import { Bell } from '../adapters/http/feed.js'
import { createServer } from '../adapters/http/server.js'
import { openMarker } from '../adapters/marker/file.js'
import { storeState } from '../adapters/store/state.js'
import type { Store } from '../adapters/store/store.js'
import { nextSecond, systemClock, systemIds } from '../adapters/system.js'
import { readAgentFile, type AgentFile } from '../adapters/veramo/agent-file.js'
import { issuingKeys } from '../adapters/veramo/replace-key.js'
import { isDid, type Did } from '../did/did.js'
import { toDidDocument } from '../did/document.js'
import { createHosting, type Hosting } from '../did/hosting.js'
import { didWebOf } from '../did/web.js'
import { isProcuraError, ProcuraError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { createIssuer, type Issuer } from '../issuer/issuer.js'
import { parseIssuingPolicy, requireAsStrict } from '../policy/issuing.js'
import type { Outbox, Revocations, Snapshot, StatusLists } from '../ports.js'
import { createRegistrar } from '../registrar/registrar.js'
import { createVerifier } from '../verifier/verifier.js'
import { markerOf, readConfig, type Config } from './config.js'
import { openFeeds } from './feeds.js'
import { OPERATOR } from './issuer.js'
import { openHome, openNetwork, readJsonFile } from './parts.js'
import { keepPublished } from './tending.js'
import { readPolicy } from './verifier.js'
import { openWallet } from './wallet.js'

/** How a service is started. */
export interface ServiceOptions {
  /** path of the agent file */
  readonly config: string
  /** what `$env` and `PROCURA_*` may name */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** told of defects; callers get a bare 500 */
  readonly onDefect?: (error: unknown) => void
}

/** A service that listens. */
export interface Service {
  readonly config: Config
  /** DID of the issuer */
  readonly did: Did
  /** DID of the operator, the first admin */
  readonly operator: Did
  /** documents of long-lived agents under paths of the origin */
  readonly hosting: Hosting
  /** the database, without user and password */
  readonly storage: string
  /** where it listens, as `http://host:port` */
  readonly address: string
  readonly app: FastifyInstance
  /** Stops listening, finishes what was accepted, closes storage. */
  close(): Promise<void>
}

/**
 * Starts the service that an agent file describes. The first start makes its folders, key file, database, DID and an
 * operator's wallet whose DID is the first admin.
 *
 * @throws CONFIG_INVALID, KEY_FILE, STORAGE_UNAVAILABLE, STORAGE_ROLLED_BACK, AUDIT_UNAVAILABLE - says what to correct; nothing listens then
 */
export async function openService({
  config: path,
  environment,
  onDefect = () => undefined,
}: ServiceOptions): Promise<Service> {
  const file = await readAgentFile(path, environment)
  const config = await readConfig(file, environment)
  const opened: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one()
  }
  try {
    return { ...(await start(file, config, environment, onDefect, opened)), config, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function start(
  file: AgentFile,
  config: Config,
  environment: ServiceOptions['environment'],
  onDefect: (error: unknown) => void,
  opened: (() => Promise<unknown>)[],
): Promise<Omit<Service, 'config' | 'close'>> {
  const did = didWebOf(config.origin)
  let document: (() => Promise<JsonObject>) | null = null
  let hosting: Hosting | null = null
  const network = openNetwork(config.connect, async asked => {
    if (asked === did) return document?.() ?? null
    if (!asked.startsWith(`${did}:`)) return null
    const hosted = await hosting?.document(asked)
    if (hosted !== undefined && hosted !== null) return hosted
    // nobody asks himself over the network
    throw new ProcuraError('DID_RESOLUTION', { did: asked, why: 'it is not hosted here' })
  })
  opened.push(() => network.close())
  const audit = await fileAudit(config.audit)
  opened.push(() => audit.close())
  const { storage, keyFile } = config
  const { store, vault } = await openHome({
    file,
    storage,
    keyFile,
    environment,
    network,
    listLength: config.status.bits,
  })
  opened.push(() => store.close())
  const marker = await openMarker(markerOf(config), () => audit.size())
  marker.requireReached({ sequence: await store.statusRepair.sequence(), auditSize: await audit.size() })

  hosting = createHosting(did, store.hostedDids)
  if ((await vault.signer(did)) === null) await vault.createWebDid(did, 'issuer')
  const keys = issuingKeys(did, { vault, signingKeys: store.signingKeys })
  document = async () => toDidDocument(did, await keys.listed())
  const shared = {
    clock: systemClock,
    ids: systemIds,
    keys: network.keys,
    ...storeState(store, systemClock, systemIds),
  }
  const statusBase = `${config.origin}/v1/status/`
  const bell = new Bell()
  const outbox = announcing(store, shared.revocations, did, bell)
  const issuer = createIssuer({ keys, statusBase }, { ...shared, ...store, outbox, audit, marker, nextSecond })
  opened.push(keepPublished(issuer, onDefect))
  const statusLists = withOwnLists(issuer, statusBase, network.statusLists)
  const issuing = parseIssuingPolicy(await readJsonFile(config.policy), config.policy)
  const servers = await Promise.all(
    config.resourceServers.map(async ({ name, secretHash, policy: path }) => {
      const policy = await readPolicy(path)
      requireAsStrict(policy, issuing, did, path)
      return { name, secretHash, policy }
    }),
  )
  const policies = servers.map(({ policy }) => policy)
  const feeds = openFeeds({ policies, network, positions: shared.feedPositions, own: did })
  const resourceServers = servers.map(({ policy, ...server }) => {
    return { ...server, verifier: createVerifier(policy, { ...shared, statusLists, streams: feeds, audit }) }
  })
  feeds.start(resourceServers.map(({ verifier }) => verifier))
  opened.push(() => feeds.close())
  const registrar = createRegistrar(issuing, { ...shared, ...store, issuance: issuer, hosting })
  const operator = await openOperator(config, store)
  const admins = new Set([operator, ...config.admins])
  const { origin } = config
  const { subjects } = store
  const app = createServer({
    ...shared,
    origin,
    issuer,
    registrar,
    subjects,
    document,
    hosting,
    resourceServers,
    events: { outbox: store.outbox, bell, keys, clock: systemClock, readers: config.events },
    admins,
    limits: config.limits,
    onDefect,
  })
  opened.push(() => app.close())
  return { did, operator, storage: store.place, hosting, app, address: await listen(app, config.listen) }
}

/**
 * The operator's DID. The first start makes it in a wallet of its own and remembers it as the first admin; from then on
 * the wallet is not needed here and may live on the operator's machine.
 */
async function openOperator({ operator, origin }: Config, { installation }: Store): Promise<Did> {
  const known = await installation.get(OPERATOR)
  if (isDid(known)) return known
  const wallet = await openWallet({ storage: operator, roots: [], service: origin })
  try {
    const agent = await wallet.agent(OPERATOR).catch(() => wallet.createAgent({ name: OPERATOR }))
    await installation.insertIfAbsent(OPERATOR, agent.did)
    // of several processes that start at once, one was first
    const first = await installation.get(OPERATOR)
    return isDid(first) ? first : agent.did
  } finally {
    await wallet.close()
  }
}

/** What is announced to others, verifiers on this database know in the same transaction; the feed looks right after it. */
function announcing(
  { outbox, commits }: Store,
  revocations: Revocations,
  signer: Did,
  bell: Bell,
): Pick<Outbox, 'append'> {
  return {
    async append(all, at) {
      for (const { type, target } of all) if (type === 'killed') await revocations.learn({ target, signer })
      await outbox.append(all, at)
      await commits.after(() => {
        bell.ring()
        return Promise.resolve()
      })
    },
  }
}

/** Lists of this service are read where they are made; nobody asks himself over the network. */
function withOwnLists(issuer: Issuer, statusBase: string, others: StatusLists): StatusLists {
  const snapshots = new Map<string, Snapshot>()
  return {
    async read(url, maxAge) {
      if (!url.startsWith(statusBase)) return others.read(url, maxAge)
      const { token } = await issuer.list(url.slice(statusBase.length)).catch((cause: unknown) => {
        const why = isProcuraError(cause) ? cause.code : 'it cannot be signed'
        throw new ProcuraError('STATUS_UNAVAILABLE', { list: url, why }, { cause })
      })
      const before = snapshots.get(url)
      const snapshot = before?.token === token ? before : { token }
      snapshots.set(url, snapshot)
      return { snapshot, age: 0 }
    },
  }
}

async function listen(app: FastifyInstance, { host, port }: Config['listen']): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    throw new ProcuraError(
      'CONFIG_INVALID',
      { at: 'procura.listen', why: `cannot listen on ${host}:${port} (${code})` },
      { cause },
    )
  }
}

/** Runs the service until SIGINT or SIGTERM: `procura serve`. */
export async function serve(options: ServiceOptions & { readonly print: (line: string) => void }): Promise<void> {
  const service = await openService(options)
  const { config, did, operator, storage, address } = service
  const { print } = options
  print(`procura listens on ${address} as ${config.origin}`)
  print(`  issuer    ${did}`)
  print(`  operator  ${operator} (wallet ${config.operator})`)
  print(`  storage   ${storage}`)
  print(`  try next  curl ${address}/.well-known/did.json`)
  await new Promise(resolve => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
  print('procura stops')
  await service.close()
}
