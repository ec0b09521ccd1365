import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openSearch } from '../../src/adapters/audit/search.js'
import { delegationsOf, formatDelegations, formatMermaid } from '../../src/audit/delegations.js'
import { parseKey } from '../../src/audit/note.js'
import type { Question } from '../../src/audit/question.js'
import { fileAudit } from '../../src/entry/audit.js'
import type { JsonObject } from '../../src/json.js'
import { alice, booker, mallory, owner, planner } from '../mint.js'
import { signer, writeLog } from './log-on-disk.js'

const NOW = 1_795_255_500
const ACME = 'did:web:acme.example'
const DIGESTS = ['uEiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'uEiAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEA']
const decision = (n: number, more: JsonObject = {}): JsonObject => ({
  type: 'decision',
  at: NOW + n,
  allow: true,
  code: null,
  holder: booker.did,
  root: owner.did,
  onBehalfOf: ACME,
  path: [planner.did, booker.did],
  digests: DIGESTS,
  policyVersion: 'v1',
  action: 'book',
  resource: `https://api.example/bookings/${n}`,
  correlationId: null,
  ...more,
})
const denied = { allow: false, code: 'DENIED_ARG' }
const RECORDS: readonly JsonObject[] = [
  { type: 'grant', at: NOW, by: alice.did, issuer: owner.did, to: planner.did, onBehalfOf: ACME, digest: DIGESTS[0]! },
  decision(1),
  decision(2, denied),
  decision(3, { action: 'read', onBehalfOf: null, correlationId: '4bf92f3577b34da6a3ce929d0e0e4736' }),
  decision(4, { holder: planner.did, path: [planner.did], digests: DIGESTS.slice(0, 1) }),
  {
    type: 'status',
    at: NOW + 5,
    change: 'revoke',
    by: alice.did,
    list: 'https://x.example/1',
    indexes: [1],
    digests: [],
  },
  decision(6, { ...denied, code: 'STATUS_REVOKED', resource: 'https://api.example/bookings' }),
  { nonsense: true },
]

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'procura-search-'))))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const entriesOf = (records: readonly JsonObject[]) => records.map(record => Buffer.from(JSON.stringify(record)))

async function open(path = join(folder, 'log')) {
  const search = await openSearch(path, signer)
  onTestFinished(() => search.close())
  return search
}

describe('a question', () => {
  beforeAll(() => void writeLog(join(folder, 'log'), entriesOf(RECORDS), [RECORDS.length]))

  test.each<[string, Question, readonly number[]]>([
    ['on whose behalf', { principal: ACME }, [0, 1, 2, 4, 6]],
    ['who took part, as a link', { agent: planner.did }, [0, 1, 2, 3, 4, 6]],
    ['who took part, as the caller', { agent: booker.did }, [1, 2, 3, 6]],
    ['who asked for it', { agent: alice.did }, [0, 5]],
    ['nobody', { agent: mallory.did }, []],
    ['an action', { action: 'read' }, [3]],
    ['a resource', { resource: 'https://api.example/bookings/2' }, [2]],
    ['all below a resource', { resource: 'https://api.example/bookings/**' }, [1, 2, 3, 4, 6]],
    ['what was allowed', { decision: 'allow' }, [1, 3, 4]],
    ['what was not', { decision: 'deny' }, [2, 6]],
    ['a code', { decision: 'STATUS_REVOKED' }, [6]],
    ['a trace', { correlation: '4bf92f3577b34da6a3ce929d0e0e4736' }, [3]],
    ['a window', { since: NOW + 2, until: NOW + 5 }, [2, 3, 4]],
    ['several at once', { agent: planner.did, principal: ACME, decision: 'allow', since: NOW + 2 }, [4]],
    ['a kind of record', { type: 'grant' }, [0]],
    ['all, in the order of time', {}, [7, 0, 1, 2, 3, 4, 5, 6]],
    ['what looks like SQL', { action: "' OR 1=1 --" }, []],
  ])('%s', async (_name, question, numbers) => {
    const search = await open()
    const { records, next } = await search.ask(question, 100)
    expect([records.map(({ index }) => index), next]).toEqual([numbers, null])
    for (const { index, record } of records) expect(record).toEqual(RECORDS[index])
    expect(await search.numbers(question)).toEqual(numbers)
  })

  test('in pages', async () => {
    const search = await open()
    const seen: number[] = []
    for (let after: Awaited<ReturnType<typeof search.ask>>['next'] = null; ;) {
      const { records, next } = await search.ask({ agent: planner.did }, 2, after)
      seen.push(...records.map(({ index }) => index))
      if (next === null) break
      after = next
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 6])
  })
})

describe('the index', () => {
  test('is made anew where it is broken, another log’s, or of a log that was cut', async () => {
    const log = join(folder, 'anew')
    const ask = async () => {
      const search = await open(log)
      const { records } = await search.ask({ decision: 'allow' }, 100)
      await search.close()
      return records.map(({ index }) => index)
    }
    writeLog(log, entriesOf(RECORDS), [RECORDS.length])
    expect(await ask()).toEqual([1, 3, 4])
    expect(statSync(join(log, 'index.db')).mode & 0o777).toBe(0o600)
    writeFileSync(join(log, 'index.db'), 'this is not a database'.repeat(400))
    expect(await ask()).toEqual([1, 3, 4])
    const other = entriesOf(RECORDS.map(record => ({ ...record, allow: false })))
    writeOver(log, other)
    expect(await ask()).toEqual([])
    writeOver(log, entriesOf(RECORDS.slice(0, 3)))
    expect(await ask()).toEqual([1])
  })

  /** Another log in the same folder, whose index stays. */
  function writeOver(log: string, entries: readonly Uint8Array[]): void {
    const aside = `${log}.aside`
    writeLog(aside, entries, [entries.length])
    for (const name of ['tile', 'checkpoint']) {
      rmSync(join(log, name), { recursive: true })
      renameSync(join(aside, name), join(log, name))
    }
  }

  test('follows a log that another writes', async () => {
    const path = join(folder, 'live')
    const log = await fileAudit(path)
    onTestFinished(() => log.close())
    const search = await openSearch(path, parseKey(log.key))
    onTestFinished(() => search.close())
    expect((await search.ask({}, 10)).records).toEqual([])
    for (const n of [1, 2]) {
      await log.record(decision(n))
      expect((await search.ask({ action: 'book' }, 10)).records).toHaveLength(n)
    }
    await Promise.all(Array.from({ length: 3000 }, (_, n) => log.record(decision(n), true)))
    expect(await search.numbers({ action: 'book' })).toHaveLength(3002)
  })
})

describe('delegations', () => {
  const tree = delegationsOf(RECORDS)

  test('as text', () => {
    expect(formatDelegations(tree)).toEqual([
      owner.did,
      `└─ ${planner.did}  uEiAAAAAAAAAA…  1 allowed`,
      `   └─ ${booker.did}  uEiAAAAAAAAAA…  2 allowed  2 denied (DENIED_ARG, STATUS_REVOKED)`,
    ])
  })

  test('as Mermaid', () => {
    expect(formatMermaid(tree)).toEqual([
      'flowchart TD',
      `  n1["${owner.did}"]`,
      `  n2["${planner.did}<br>1 allowed"]`,
      '  n1 -- "uEiAAAAAAAAAA…" --> n2',
      `  n3["${booker.did}<br>2 allowed<br>2 denied (DENIED_ARG, STATUS_REVOKED)"]`,
      '  n2 -- "uEiAAAAAAAAAA…" --> n3',
    ])
  })

  test('names of the log start no markup', () => {
    const root = 'did:web:x"]<script>'
    const said = formatMermaid([{ did: root, digest: null, allowed: 0, denied: 0, codes: [], to: [] }])
    expect(said[1]).toBe('  n1["did:web:x#34;]#60;script#62;"]')
  })
})
