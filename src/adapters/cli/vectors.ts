import { readFile } from 'node:fs/promises'
import { isDidUrl, methodOf, didOf, type Did, type DidUrl } from '../../did/did.js'
import { didKeyUrl, fromDidKey } from '../../did/key.js'
import { parseJwk, type PublicKey } from '../../ed25519.js'
import type { Digest } from '../../encoding.js'
import { printable, ProcuraError } from '../../errors.js'
import { isObject, parseJson, type Json, type JsonObject } from '../../json.js'
import { parsePolicy, type Policy } from '../../policy/policy.js'
import type { Keys, Ledger, ListVersions, RevocationEvent, StatusLists } from '../../ports/deciding.js'
import type { Ids } from '../../ports/world.js'
import { bodyDigest, type ReceivedRequest } from '../../presentation/request.js'
import type { createVerifier, VerifierPorts } from '../../verifier/verifier.js'
import { show, type Output } from './output.js'
import type { Terminal } from './terminal.js'

/** Fresh stores for one case. */
export interface CaseStores {
  readonly ledger: Ledger
  readonly listVersions: ListVersions
}

/** What runs the cases: the verifier, names, and a source of fresh stores. */
export interface VectorRunner {
  readonly createVerifier: typeof createVerifier
  readonly ids: Ids
  readonly stores: () => CaseStores
}

/** What a run of vector files found. */
export interface VectorReport {
  readonly passed: number
  /** one line per miss: `name: expected X, got Y` */
  readonly misses: readonly string[]
}

interface Case {
  readonly name: string
  readonly given: JsonObject
  readonly expect: { readonly allow: boolean; readonly code?: string }
}

/**
 * Reads vector files and runs them; prints each miss and a last line `N passed, N failed`.
 *
 * @returns the exit code: 1 if there was a miss or no case at all
 * @throws CONFIG_INVALID - a file that cannot be read or has another form
 */
export async function vectorsCommand(
  files: readonly string[],
  options: Output,
  runner: VectorRunner,
  terminal: Terminal,
): Promise<number> {
  let passed = 0
  const misses: string[] = []
  for (const file of files) {
    const report = await runVectors(parseJson(await read(file), file).value, runner, file)
    passed += report.passed
    misses.push(...report.misses)
  }
  const failed = misses.length
  show(terminal, options, { passed, failed, misses }, () => [
    ...misses.map(printable),
    `${passed} passed, ${failed} failed`,
  ])
  return failed === 0 && passed > 0 ? 0 : 1
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new ProcuraError(
      'CONFIG_INVALID',
      { at: file, why: cause instanceof Error ? cause.message : 'cannot be read' },
      { cause },
    )
  }
}

/**
 * Runs a vector file through `decide`: real signatures, real lists; the network's answers come from the file.
 *
 * @param file - parsed JSON of the form `{common, cases}`
 * @throws CONFIG_INVALID - the file has another form
 */
export async function runVectors(file: Json, runner: VectorRunner, at: string): Promise<VectorReport> {
  if (!isObject(file) || !isObject(file['common']) || !Array.isArray(file['cases']))
    throw invalid(at, 'is not {common, cases}')
  const misses: string[] = []
  const cases = file['cases'] as unknown as readonly Case[]
  for (const [index, one] of cases.entries()) {
    if (!isObject(one.given) || !isObject(one.expect))
      throw invalid(`${at}.cases[${index}]`, 'is not {name, given, expect}')
    const got = await run({ ...file['common'], ...one.given }, runner)
    const expected = one.expect.allow ? 'allow' : String(one.expect.code)
    if (got !== expected) misses.push(`${one.name}: expected ${expected}, got ${got}`)
  }
  return { passed: cases.length - misses.length, misses }
}

/** The files name lists by URL alone. */
const ANY_ISSUER = 'did:example:any'

/** Decides one case; answers `allow` or the code. */
async function run(given: JsonObject, runner: VectorRunner): Promise<string> {
  const stores = runner.stores()
  for (const [url, version] of Object.entries(objectAt(given, 'seenVersions'))) {
    await stores.listVersions.raise(ANY_ISSUER, url, Number(version))
  }
  const revoked = new Set<string>((given['revokedDigests'] ?? []) as readonly string[])
  const policy = policyOf(given)
  // the files' events are authorised ones: signed by whoever rooted the chain
  const byEveryRoot = (target: Digest | Did): readonly RevocationEvent[] =>
    [...policy.roots.keys()].map(signer => ({ target, signer }))
  const ports: VerifierPorts = {
    ...stores,
    // every case starts with empty stores, and the file's clock is not the machine's
    ledger: { ...stores.ledger, settle: settlement => stores.ledger.settle({ ...settlement, uses: [] }) },
    listVersions: { raise: (_, url, version) => stores.listVersions.raise(ANY_ISSUER, url, version) },
    ids: runner.ids,
    clock: { now: () => Number(given['now']) },
    keys: keysOf(objectAt(given, 'didKeys')),
    statusLists: listsOf(objectAt(given, 'statusLists')),
    streams: { isHealthy: () => false },
    revocations: {
      learn: () => Promise.resolve(),
      about: targets => Promise.resolve(targets.filter(target => revoked.has(target)).flatMap(byEveryRoot)),
    },
    chains: { keep: () => Promise.resolve(), find: () => Promise.resolve(null) },
    nonces: {
      issue: () => Promise.resolve('none'),
      consume: () => Promise.resolve(false),
      isOpen: () => Promise.resolve(false),
    },
    audit: { record: () => Promise.resolve() },
  }
  const verifier = runner.createVerifier(policy, ports)
  const decision = await verifier.decide(textAt(given, 'presentation'), requestOf(objectAt(given, 'request')))
  return decision.allow ? 'allow' : decision.code
}

function policyOf(given: JsonObject): Policy {
  const maxAge = given['maxStatusAgeSeconds'] ?? 60
  return parsePolicy({
    self: given['self'] ?? '',
    subjectKeyBinding: given['subjectKeyBinding'] ?? 'cnf+did',
    maxStatusAge: { low: maxAge, medium: maxAge, high: maxAge, critical: maxAge },
    challenge: given['requireNonce'] === true ? 'always' : 'never',
    ...objectAt(given, 'policy'),
  })
}

function requestOf(request: JsonObject): ReceivedRequest {
  const body = request['body']
  return {
    method: textAt(request, 'method'),
    url: textAt(request, 'url'),
    bodyDigest: typeof body === 'string' ? bodyDigest(Buffer.from(body, 'base64url')) : null,
    action: textAt(request, 'action'),
    resource: textAt(request, 'resource'),
    params: objectAt(request, 'params'),
  }
}

/** Every listed key is authorised for every relationship; did:key resolves by itself. */
function keysOf(listed: JsonObject): Keys {
  const known = new Map<DidUrl, PublicKey>()
  for (const [kid, jwk] of Object.entries(listed)) {
    const key = parseJwk(jwk, kid)
    if (isDidUrl(kid) && key !== null) known.set(kid, key)
  }
  const all = (did: Did): readonly PublicKey[] => {
    if (methodOf(did) === 'key') return [fromDidKey(did)]
    const keys = [...known].filter(([kid]) => didOf(kid) === did).map(([, key]) => key)
    if (keys.length === 0) throw new ProcuraError('DID_RESOLUTION', { did, why: 'is not in the file' })
    return keys
  }
  return {
    all: did => Promise.resolve().then(() => all(did)),
    find: kid =>
      Promise.resolve().then(() => {
        const keys = all(didOf(kid))
        if (methodOf(didOf(kid)) !== 'key') return known.get(kid) ?? null
        return kid === didKeyUrl(didOf(kid)) ? (keys[0] ?? null) : null
      }),
  }
}

function listsOf(served: JsonObject): StatusLists {
  return {
    read(url) {
      const token = Object.hasOwn(served, url) ? served[url] : undefined
      if (typeof token === 'string') return Promise.resolve({ snapshot: { token }, age: 0 })
      return Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list: url, why: 'the host does not answer' }))
    },
  }
}

function textAt(parent: JsonObject, name: string): string {
  const value = parent[name]
  return typeof value === 'string' ? value : ''
}

function objectAt(parent: JsonObject, name: string): JsonObject {
  const value = parent[name]
  return isObject(value) ? value : {}
}

function invalid(at: string, why: string): ProcuraError {
  return new ProcuraError('CONFIG_INVALID', { at, why })
}
