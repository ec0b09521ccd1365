import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DELEGATION } from '../../src/delegation/chain.js'
import { toDidDocument } from '../../src/did/document.js'
import { openService } from '../../src/entry/service.js'
import { openWallet } from '../../src/entry/wallet.js'
import type { JsonObject } from '../../src/json.js'
import { signJws } from '../../src/jws/compact.js'
import { toDate } from '../../src/time.js'
import { party } from '../mint.js'
import { Asking } from './asking.js'
import { API, writeConfig } from './home.js'

const SLOW = party('slow', 'did:web:slow.example')
const AUTHORITY = { more: 1, audience: [API], grants: [{ resource: `${API}/**`, actions: ['read'] }] }

/** What SLOW hands on to somebody, signed by hand. */
async function delegationUnder(root: string, digest: string): Promise<string> {
  const claims = JSON.parse(Buffer.from(root.split('.')[1] ?? '', 'base64url').toString()) as JsonObject
  const { authority } = claims['credentialSubject'] as { readonly authority: JsonObject }
  const without = (of: JsonObject, ...names: readonly string[]): JsonObject =>
    Object.fromEntries(Object.entries(of).filter(([name]) => !names.includes(name)))
  const to = party('bob')
  const now = Math.floor(Date.now() / 1000)
  const id = 'urn:uuid:0192f5c2-0000-7000-8000-000000000001'
  const link = {
    ...without(claims, 'credentialStatus'),
    ...{ id, jti: id, type: ['VerifiableCredential', DELEGATION], issuer: SLOW.did, iss: SLOW.did, sub: to.did },
    ...{ iat: now, validFrom: toDate(now), validUntil: toDate(now + 290), exp: now + 290 },
    cnf: { jwk: { crv: 'Ed25519', kty: 'OKP', x: to.publicKey.x } },
    credentialSubject: {
      id: to.did,
      authority: {
        ...without(authority, 'statusIssuers'),
        hop: 1,
        more: 0,
        parent: { id: claims['id'] ?? '', digest },
      },
    },
  }
  return signJws(link, 'vc+jwt', SLOW)
}

test('whoever hosts the document of an agent cannot keep it from being stopped', async () => {
  let isUp = true
  const document = JSON.stringify(toDidDocument(SLOW.did, [{ kid: SLOW.kid, key: SLOW.publicKey }]))
  const host = createServer((_, response) => {
    if (isUp) response.setHeader('content-type', 'application/did+json').end(document)
  }).listen(0, '127.0.0.1')
  await once(host, 'listening')
  const folder = await mkdtemp(join(tmpdir(), 'procura-unreachable-'))
  const connect = { 'https://slow.example': `http://127.0.0.1:${(host.address() as AddressInfo).port}` }
  const config = await writeConfig(folder, { connect })
  const first = await openService({ config, environment: {} })
  const operators = await openWallet({ storage: `sqlite://${join(folder, 'operator.db')}`, roots: [] })
  const operator = (await operators.agent('operator')).holder
  const before = new Asking(first.address)
  const body = { kind: 'organisation', did: SLOW.did, key: SLOW.publicKey.x, name: 'slow' }
  expect((await before.ask('register', operator, { body })).status).toBe(201)
  const granted = await before.ask('grant', operator, { body: { to: SLOW.did, ttl: 600, authority: AUTHORITY } })
  const [root, digest] = [granted.textOf('credential'), granted.textOf('digest')]
  // it becomes known here by being taken back, which its missing status entry does not allow
  await before
    .ask('revoke', operator, { body: { chain: [root, await delegationUnder(root, digest)] } })
    .catch(() => null)
  await first.close()

  // a process that has not seen the document, and a host that never answers
  isUp = false
  const second = await openService({ config, environment: {} })
  const after = new Asking(second.address)
  const retired = await after.ask('retire', operator, { params: { did: SLOW.did }, body: {} })
  expect([retired.status, retired.body['state']]).toEqual([200, 'retired'])
  expect((await after.ask('revoke', operator, { body: { agent: SLOW.did } })).status).toBe(200)
  const events = await after.ask('events', null, { query: '?after=0', headers: { accept: 'application/json' } })
  expect(events.text).not.toBe('')
  expect((events.body['sets'] as readonly string[]).length).toBeGreaterThan(0)

  host.closeAllConnections()
  host.close()
  await operators.close()
  await second.close()
  await rm(folder, { recursive: true, force: true })
})
