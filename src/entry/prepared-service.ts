import type { FastifyInstance } from 'fastify'
import { Bell } from '../adapters/http/feed.js'
import { createServer } from '../adapters/http/server.js'
import { openMarker } from '../adapters/marker/file.js'
import { keyEventsOf } from '../adapters/store/key-events.js'
import { inTime } from '../adapters/store/server-clock.js'
import { createLog } from '../adapters/telemetry/log.js'
import { traced } from '../adapters/telemetry/spans.js'
import { nextSecond, systemClock, systemIds } from '../adapters/system.js'
import { readAgentFile, type AgentFile } from '../adapters/veramo/agent-file.js'
import { issuingKeys } from '../adapters/veramo/replace-key.js'
import type { Did } from '../did/did.js'
import { createHosting, type Hosting } from '../did/hosting.js'
import { didWebOf } from '../did/web.js'
import { ProcuraError } from '../errors.js'
import type { JsonObject } from '../json.js'
import { createIssuer, type Issuer } from '../issuer/issuer.js'
import { parseIssuingPolicy, requireAsStrict } from '../policy/issuing.js'
import { createRegistrar } from '../registrar/registrar.js'
import { createVerifier } from '../verifier/verifier.js'
import { auditDesk, openMetrics, watchStore } from './audit.js'
import { openCommons, type Commons } from './commons.js'
import { requireSound } from './config-check.js'
import { markerOf, readConfig, type Config } from './config.js'
import { openFeeds } from './feeds.js'
import { announcing, ownDocument, withOwnLists } from './own.js'
import { OPERATOR } from './issuer.js'
import { openOperator } from './operator.js'
import { openHome, openNetwork, readJsonFile } from './parts.js'
import { chooseSignatures } from './signatures.js'
import { openState } from './state.js'
import { keepPublished } from './tending.js'
import { Together } from './together.js'
import { readPolicy } from './verifier.js'

import type { ServiceOptions } from './service.js'

/** A service in this process, of which nobody knows over the network. */
export interface PreparedService {
  readonly config: Config
  /** DID of the issuer */
  readonly did: Did
  /** DID of the operator, the first admin */
  readonly operator: Did
  /** documents of long-lived agents under paths of the origin */
  readonly hosting: Hosting
  /** the database, without user and password */
  readonly storage: string
  readonly app: FastifyInstance
  /** Finishes what was accepted, and closes storage. */
  close(): Promise<void>
}

/**
 * Makes everything of a service but the listener: what its first start makes, and a server that answers whoever is in this
 * process.
 *
 * @param stopping - aborted when it begins to stop
 * @throws CONFIG_INVALID, KEY_FILE, STORAGE_HELD, STORAGE_UNAVAILABLE, STORAGE_ROLLED_BACK, AUDIT_UNAVAILABLE
 */
export async function prepareService(
  { config: path, environment, onDefect = () => undefined, commons }: ServiceOptions,
  stopping: AbortSignal = new AbortController().signal,
): Promise<PreparedService> {
  const file = await readAgentFile(path, environment)
  const config = await readConfig(file, environment)
  await requireSound(path, environment)
  chooseSignatures(environment['PROCURA_SIGNATURES'])
  const opened: (() => Promise<unknown>)[] = []
  const end = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one()
  }
  const log = createLog(config.telemetry.log)
  const told = (error: unknown): void => {
    log.error({ err: error }, 'a defect')
    onDefect(error)
  }
  try {
    return { ...(await start(file, config, environment, told, opened, stopping, commons)), config, close: end }
  } catch (error) {
    await end()
    throw error
  }
}

async function start(
  file: AgentFile,
  config: Config,
  environment: ServiceOptions['environment'],
  onDefect: (error: unknown) => void,
  opened: (() => Promise<unknown>)[],
  stopping: AbortSignal,
  given: Commons | undefined,
): Promise<Omit<PreparedService, 'config' | 'close'>> {
  const did = didWebOf(config.origin)
  let document: (() => Promise<JsonObject & { readonly id: Did }>) | null = null
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
  const commons = given ?? (await openCommons(config, opened))
  const { log, logs } = commons
  const metrics = openMetrics(log)
  const figures = commons.figures(metrics)
  const audit = metrics.counted(logs)
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
  watchStore(metrics, store)
  const marker = await openMarker(markerOf(config), () => log.size())
  marker.requireReached({ sequence: await store.statusRepair.sequence(), auditSize: await log.size() })

  hosting = createHosting(did, store.hostedDids)
  if ((await vault.signer(did)) === null) await vault.createWebDid(did, 'issuer')
  const keys = issuingKeys(did, { vault, signingKeys: store.signingKeys })
  document = ownDocument(keys)
  const { state, redis, ...kept } = await openState(store, config.state, systemClock, systemIds)
  opened.push(() => kept.close())
  const ledger = inTime(state.ledger, store.dataSource)
  const shared = { clock: systemClock, ids: systemIds, keys: network.keys, ...state, ledger }
  const statusBase = `${config.origin}/v1/status/`
  const bell = new Bell()
  const tellOthers = kept.wakeUps(() => bell.ring())
  const outbox = announcing(store, shared.revocations, did, () => {
    bell.ring()
    tellOthers()
  })
  const issuer = createIssuer(
    { keys, statusBase },
    {
      ...{ ...shared, ...store, outbox, audit, marker, nextSecond },
      onShown: since => metrics.spread('list', since),
    },
  )
  const keyEvents = keyEventsOf({ ...store, transaction: work => store.transaction(work) })
  const recordKeys = (): Promise<void> => keyEvents.hand(event => audit.record(event))
  await recordKeys()
  const tend: Issuer['tend'] = async () => {
    await recordKeys().catch(onDefect)
    return issuer.tend()
  }
  const tending = keepPublished({ tend }, onDefect)
  opened.push(() => tending.end())
  const together = new Together()
  opened.push(() => {
    together.end()
    return Promise.resolve()
  })
  const asked = {
    keys: together.keys(shared.keys, did),
    listVersions: together.listVersions(shared.listVersions),
    statusLists: withOwnLists(issuer, statusBase, network.statusLists, together),
  }
  const issuing = parseIssuingPolicy(await readJsonFile(config.policy), config.policy)
  const servers = await Promise.all(
    config.resourceServers.map(async ({ name, secretHash: secretHashes, policy: path }) => {
      const policy = await readPolicy(path)
      requireAsStrict(policy, issuing, did, path)
      return { name, secretHashes, policy }
    }),
  )
  const policies = servers.map(({ policy }) => policy)
  const feeds = openFeeds({
    ...{ policies, network, positions: shared.feedPositions, own: did },
    onLearned: at => metrics.spread('feed', at),
  })
  const resourceServers = servers.map(({ policy, ...server }) => {
    const verifier = createVerifier(policy, { ...shared, ...asked, streams: feeds, audit })
    return { ...server, verifier: traced(metrics.timed(together.over(verifier))) }
  })
  feeds.start(resourceServers.map(({ verifier }) => verifier))
  opened.push(() => feeds.close())
  const registrar = createRegistrar(issuing, { ...shared, ...store, issuance: issuer, hosting })
  const operator = await openOperator(config, store)
  const admins = new Set([operator, ...config.admins])
  const app = await createServer({
    ...config,
    ...shared,
    issuer,
    registrar,
    subjects: store.subjects,
    answers: store.answers,
    transaction: work => store.transaction(work),
    document,
    hosting,
    resourceServers,
    events: { outbox: store.outbox, bell, keys, clock: systemClock, readers: config.events },
    admins,
    audit: auditDesk(config, commons),
    counts: commons.counts,
    metrics: config.telemetry.metrics ? { text: figures } : null,
    trustedProxies: config.listen.trustedProxies,
    checks: {
      database: () => store.installation.get(OPERATOR),
      audit: () => logs.requireWritable(),
      key: async () => (await keys.signer()).sign(Buffer.from('ready?')),
      lists: () => tending.requireInTime(),
      state: () => kept.check(),
    },
    redis,
    stopping,
    onDefect,
  })
  opened.push(() => app.close())
  return { did, operator, storage: store.place, hosting, app }
}
