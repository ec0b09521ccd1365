// The parties of the story, each with its own keys, storage and HTTP listener. Names are https; `connect` maps them to
// loopback, because a token alone never leads anybody to a loopback address.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { acceptChains, requireAuthority } from 'procura/fastify'
import { openIssuer } from 'procura/issuer'
import { openService } from 'procura/service'
import { createVerifier, fileAudit, remoteVerifier, sqliteState } from 'procura/verifier'
import { openWallet } from 'procura/wallet'

/** @import { Verifier, Decision } from 'procura/verifier' */
/** @typedef {{ verificationMethod: { id: import('procura').DidUrl, publicKeyJwk: { kty: 'OKP', crv: 'Ed25519', x: string } }[] }} DidDocument */

export const ACME = 'https://id.acme.example'
export const ML = 'https://ml.acme.example'
export const GPU = 'https://gpu.borealis.example'
export const TRAVEL = 'https://api.travel.example'

/** What the ML platform does, as its routes say. */
const ML_ACTIONS = {
  'read:features': '/features',
  'write:model-registry': '/models',
  'read:test-data': '/test-data',
  'write:eval-reports': '/reports',
  'deploy:staging': '/staging',
}

/** Raises the curtain: company service, its ML platform, two foreign resource servers. */
export async function openStage() {
  // a folder of your own stays, with the audit logs in it
  const own = process.env.DEMO_FOLDER
  const folder = own ?? (await mkdtemp(join(tmpdir(), 'procura-demo-')))
  /** @type {(() => Promise<unknown>)[]} */
  const closing = own === undefined ? [() => rm(folder, { recursive: true, force: true })] : []
  const secret = randomBytes(32).toString('base64url')
  const alice = await newPerson(`sqlite://${join(folder, 'alice.db')}`, 'alice')
  const service = await openService({ config: await writeConfig(folder, secret, alice), environment: {} })
  closing.push(() => service.close())
  /** @type {Record<string, string>} */
  const connect = { [ACME]: service.address }
  /** @type {Map<string, Decision>} */
  const log = new Map()

  // the company's own platform asks the company's service
  const ml = Fastify()
  const mlVerifier = logged(remoteVerifier({ self: ML, service: ACME, secret, connect }), log)
  for (const [action, path] of Object.entries(ML_ACTIONS)) {
    const guard = requireAuthority(mlVerifier, { action, params: request => /** @type {any} */ (request.body ?? {}) })
    ml.post(`${path}/:name`, guard, request => ({ done: action, for: request.authority?.onBehalfOf }))
  }
  await ml.register(acceptChains(mlVerifier))
  connect[ML] = await ml.listen({ host: '127.0.0.1', port: 0 })
  closing.push(() => ml.close())

  // another organisation knows one root key and decides by itself
  const jwks = await rootKeys(service.address)
  const root = { issuer: service.did, jwks }
  for (const [self, action, args] of /** @type {[string, string, object][]} */ ([
    [GPU, 'provision:gpu', {}],
    [TRAVEL, 'book', {}],
  ])) {
    const state = await sqliteState(join(folder, `${new URL(self).hostname}.db`))
    const audit = await fileAudit(join(folder, `${new URL(self).hostname}.audit`))
    closing.push(
      () => state.close(),
      () => audit.close(),
    )
    const grants = [{ resource: `${self}/**`, actions: [action], ...args }]
    const policy = { self, roots: [{ ...root, grants }], risk: { [action]: 'critical' } }
    const verifier = logged(await createVerifier({ policy, state, audit, connect: { [ACME]: service.address } }), log)
    const app = Fastify()
    const guard = requireAuthority(verifier, { action, params: request => /** @type {any} */ (request.body) })
    app.post('/:kind/:name', guard, request => ({ done: action, for: request.authority?.onBehalfOf }))
    await app.register(acceptChains(verifier))
    connect[self] = await app.listen({ host: '127.0.0.1', port: 0 })
    closing.push(() => app.close())
  }

  const issuer = await openIssuer({ service: ACME, storage: `sqlite://${join(folder, 'operator.db')}`, connect })
  closing.push(() => issuer.close())
  return {
    connect,
    issuer,
    root,
    /** what each verifier answered last; a caller that proved nothing is not told the code, the server's log is */
    log,
    /** A wallet with a database of its own; sub-agents live in memory and end with their task. @param {string} [file] */
    async wallet(file) {
      const storage = file === undefined ? 'sqlite::memory:' : `sqlite://${join(folder, file)}`
      const wallet = await openWallet({ storage, roots: [root], service: ACME, connect })
      closing.push(() => wallet.close())
      return wallet
    },
    async close() {
      for (const one of closing.splice(0).reverse()) await one()
    },
  }
}

/** @param {Verifier} verifier @param {Map<string, Decision>} log @returns {Verifier} */
function logged(verifier, log) {
  return {
    self: verifier.self,
    challenge: action => verifier.challenge(action),
    keepChain: tokens => verifier.keepChain(tokens),
    commit: id => verifier.commit(id),
    release: id => verifier.release(id),
    async decide(token, request, options) {
      const decision = await verifier.decide(token, request, options)
      log.set(verifier.self, decision)
      return decision
    },
  }
}

/** The public key of the root, taken once, by hand as it were. @param {string} address */
async function rootKeys(address) {
  const response = await fetch(`${address}/.well-known/did.json`)
  const { verificationMethod } = /** @type {DidDocument} */ (await response.json())
  return { keys: verificationMethod.map(({ id, publicKeyJwk }) => ({ kid: id, ...publicKeyJwk })) }
}

/** A person's wallet stands before any service: its DID can be named as an approver. @param {string} storage @param {string} name */
async function newPerson(storage, name) {
  const wallet = await openWallet({ storage, roots: [] })
  const { did } = await wallet.createAgent({ name })
  await wallet.close()
  return did
}

/** The package's agent file with a `procura:` block for this stage. @param {string} folder @param {string} secret @param {string} approver */
async function writeConfig(folder, secret, approver) {
  const template = await readFile(new URL('../../agent.yml', import.meta.url), 'utf8')
  const policy = {
    self: ML,
    roots: [
      {
        issuer: 'did:web:id.acme.example',
        approvers: [approver],
        grants: [{ resource: `${ML}/**`, actions: Object.keys(ML_ACTIONS) }],
      },
    ],
  }
  await writeFile(join(folder, 'ml.json'), JSON.stringify(policy))
  const block = {
    origin: ACME,
    storage: `sqlite://${join(folder, 'acme.db')}`,
    keyFile: join(folder, 'acme.key'),
    operator: `sqlite://${join(folder, 'operator.db')}`,
    audit: join(folder, 'acme.audit'),
    listen: { host: '127.0.0.1', port: 0 },
    resourceServers: [
      {
        name: 'ml',
        secretHash: createHash('sha256').update(secret).digest('base64url'),
        policy: join(folder, 'ml.json'),
      },
    ],
  }
  const path = join(folder, 'agent.yml')
  // JSON is YAML
  await writeFile(
    path,
    template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(block)}\n\n`),
  )
  return path
}
