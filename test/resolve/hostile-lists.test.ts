import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFetch } from '../../src/adapters/resolve/fetch.js'
import { createStatusLists } from '../../src/adapters/resolve/status-lists.js'
import { storeState } from '../../src/adapters/store/state.js'
import { openStore } from '../../src/adapters/store/store.js'
import { systemIds } from '../../src/adapters/system.js'
import type { JsonObject } from '../../src/json.js'
import type { ListVersions } from '../../src/ports/deciding.js'
import { bitsOf, encodeList, MIN_BITS } from '../../src/status/bitstring.js'
import { requireLive } from '../../src/verifier/live.js'
import { booker, LIST, listToken, mallory, mint, NOW, owner, planner, policyOf, status, world } from '../mint.js'
import { opened } from '../verifier/scene.js'
import { codeOf, startHost, testClock } from './host.js'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const INDEX = 71
const SECONDS = 300

/** A verifier's last step over the real client and a real host that may lie. */
async function hostile(answer: Answer, listVersions?: ListVersions) {
  const host = await startHost()
  host.answer(answer)
  const clock = testClock(NOW)
  const fetch = createFetch({ connect: { 'https://status.acme.example': host.address }, deadline: 400 })
  onTestFinished(() => fetch.close())
  const lists = createStatusLists({ fetch, clock, uptime: () => 0 })
  const ports = await world()
  const root = await mint({ signer: owner, to: planner, until: 3600, index: INDEX })
  const leaf = await mint({ signer: planner, to: booker, parent: root, from: 0, until: 300, index: null })
  const chain = await opened([root, leaf])
  const ask = (maxAge = SECONDS) =>
    codeOf(() =>
      requireLive(
        chain,
        [],
        { pushed: maxAge, pulled: maxAge },
        policyOf(),
        () => clock.seconds,
        { ...ports, statusLists: lists, listVersions: listVersions ?? ports.listVersions },
        { link: null, live: [] },
      ),
    )
  return { host, clock, lists, ask }
}

const serve =
  (token: string, headers: Record<string, string> = {}): Answer =>
  (_, response) =>
    void response.writeHead(200, headers).end(token)
/** A good list whose subject says something else. */
async function saying(change: JsonObject, version = 42): Promise<string> {
  const plain = await listToken([], version)
  const { credentialSubject } = JSON.parse(Buffer.from(plain.split('.')[1]!, 'base64url').toString()) as {
    credentialSubject: JsonObject
  }
  return listToken([], version, { credentialSubject: { ...credentialSubject, ...change } })
}
const u = (bytes: Uint8Array): string => `u${Buffer.from(bytes).toString('base64url')}`

test('an honest host', async () => {
  const { ask } = await hostile(serve(await listToken([1, 2])))
  expect(await ask()).toBeNull()
  const revoking = await hostile(serve(await listToken([INDEX])))
  expect(await revoking.ask()).toBe('STATUS_REVOKED')
})

test.each<[string, string, () => Promise<Answer>]>([
  ['answers 500', 'STATUS_UNAVAILABLE', () => Promise.resolve((_, response) => void response.writeHead(500).end())],
  ['answers 500 with a good list', 'STATUS_UNAVAILABLE', async () => {
    const token = await listToken([])
    return (_, response) => void response.writeHead(500).end(token)
  }],
  ['does not know the list', 'STATUS_UNAVAILABLE', () => Promise.resolve((_, response) => void response.writeHead(404).end())],
  ['sends elsewhere', 'STATUS_UNAVAILABLE', () => Promise.resolve((_, response) => void response.writeHead(302, { location: `${LIST}2` }).end())],
  ['resets the connection', 'STATUS_UNAVAILABLE', () => Promise.resolve((request: IncomingMessage) => void request.socket.resetAndDestroy())],
  ['resets it in the middle of the list', 'STATUS_UNAVAILABLE', async () => {
    const token = await listToken([])
    return (request, response) => {
      response.writeHead(200, { 'content-length': String(token.length) })
      response.write(token.slice(0, 100), () => request.socket.resetAndDestroy())
    }
  }],
  ['sends one byte at a time, and never ends', 'STATUS_UNAVAILABLE', async () => {
    const token = await listToken([])
    return (_, response) => {
      let sent = 0
      const timer = setInterval(() => response.write(token[sent++ % token.length]!), 20)
      response.on('close', () => clearInterval(timer))
    }
  }],
  ['sends without end', 'STATUS_UNAVAILABLE', () => Promise.resolve((_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write('a'.repeat(65_536)));
    }
    response.on('drain', more)
    more()
  })],
  ['serves a page', 'STATUS_UNAVAILABLE', () => Promise.resolve(serve('<html>all is well</html>', { 'content-type': 'text/html' }))],
  ['serves nothing', 'STATUS_UNAVAILABLE', () => Promise.resolve(serve(''))],
  ['says unchanged of what was never asked', 'STATUS_UNAVAILABLE', () => Promise.resolve((_, response) => void response.writeHead(304).end())],
  ['packs the answer', 'STATUS_UNAVAILABLE', async () => {
    const token = await listToken([])
    return (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(token))
  }],
  ['serves a list without a signature', 'STATUS_UNAVAILABLE', async () => serve((await listToken([])).replace(/\.[^.]*$/, '.'))],
  ['serves a list with another signature', 'STATUS_SIGNATURE', async () => serve((await listToken([])).replace(/\.[^.]*$/, `.${(await listToken([1])).split('.')[2]!}`))],
  ['serves a list of another signer', 'STATUS_ISSUER', async () => serve(await listToken([], 42, {}, mallory))],
  ['serves a list that another signed in its name', 'STATUS_SIGNATURE', async () => serve(await listToken([], 42, {}, { ...mallory, did: status.did, kid: status.kid }))],
  ['serves another list', 'STATUS_ISSUER', async () => serve(await listToken([], 42, { id: `${LIST}2` }))],
  ['serves a list of another purpose', 'STATUS_PURPOSE', async () => serve(await saying({ statusPurpose: 'suspension' }))],
  ['serves a list without a version', 'STATUS_ROLLBACK', async () => serve(await saying({ version: null }))],
  ['serves a bomb', 'STATUS_SIZE', async () => serve(await saying({ encodedList: u(gzipSync(new Uint8Array(100_000_000))) }))],
  ['serves a short list', 'STATUS_LENGTH', async () => serve(await saying({ encodedList: encodeList(new Uint8Array(8)) }))],
  ['serves two members', 'STATUS_ENCODING', async () => serve(await saying({ encodedList: u(Buffer.concat([gzipSync(bitsOf(MIN_BITS, [])), gzipSync(new Uint8Array(1))])) }))],
])('a host that %s: %s', async (_, code, answer) => {
  const { ask, host } = await hostile(await answer())
  expect(await ask()).toBe(code)
  // the next honest answer counts again: nothing of the lie stays
  host.answer(serve(await listToken([], 43)))
  expect(await ask(0)).toBeNull()
}) // prettier-ignore

describe('an old version', () => {
  test('is refused, also after a restart, and the bit in it is not believed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'procura-rollback-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const memory = async (): Promise<{ versions: ListVersions; close: () => Promise<void> }> => {
      const store = await openStore(`sqlite://${join(folder, 'verifier.db')}`)
      const { listVersions } = storeState(store, { now: () => NOW }, systemIds)
      return { versions: listVersions, close: () => store.close() }
    }
    const before = await memory()
    const first = await hostile(serve(await listToken([INDEX], 7)), before.versions)
    expect(await first.ask()).toBe('STATUS_REVOKED')
    await before.close()
    const after = await memory()
    const second = await hostile(serve(await listToken([], 6)), after.versions)
    expect(await second.ask()).toBe('STATUS_ROLLBACK')
    second.host.answer(serve(await listToken([], 8)))
    expect(await second.ask(0)).toBeNull()
    await after.close()
  })

  test('whose bits are refused has raised the memory all the same', async () => {
    const { ask, host } = await hostile(serve(await saying({ encodedList: encodeList(new Uint8Array(8)) }, 50)))
    expect(await ask()).toBe('STATUS_LENGTH')
    host.answer(serve(await listToken([], 49)))
    expect(await ask(0)).toBe('STATUS_ROLLBACK')
  })
})

describe('a copy', () => {
  test('answers while it is young enough for the risk, and not a second longer, when the host is gone', async () => {
    const { ask, clock, host, lists } = await hostile(serve(await listToken([])))
    expect(await ask(60)).toBeNull()
    host.answer((_, response) => void response.writeHead(500).end())
    clock.seconds += 60
    expect([await ask(60), (await lists.read(LIST, 60)).age]).toEqual([null, 60])
    expect(await ask(10)).toBe('STATUS_UNAVAILABLE')
    clock.seconds += 1
    expect(await ask(60)).toBe('STATUS_UNAVAILABLE')
    expect(await ask(300)).toBeNull()
  })

  test('that was signed 300 s ago is stale at every risk, however fresh its host’s word', async () => {
    const { ask, clock } = await hostile(serve(await listToken([])))
    clock.seconds += 290
    expect(await ask(300)).toBeNull()
    clock.seconds += 1
    expect(await ask(300)).toBe('STATUS_STALE')
  })

  test('is asked for once by all who want it at the same time', async () => {
    const token = await listToken([])
    const { ask, host } = await hostile((_, response) => void setTimeout(() => response.end(token), 30))
    expect(await Promise.all(Array.from({ length: 50 }, () => ask(0)))).toEqual(Array.from({ length: 50 }, () => null))
    await vi.waitFor(() => expect(host.requests.length).toBeLessThanOrEqual(2))
  })
})
