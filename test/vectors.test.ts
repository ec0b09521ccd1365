import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { runVectors } from '../src/adapters/cli/vectors.js'
import { memoryLedger, memoryVersions } from '../src/adapters/state/memory.js'
import { systemClock, systemIds } from '../src/adapters/system.js'
import { bitAt, bitsOf, decodeList, encodeList } from '../src/status/bitstring.js'
import { fromDidKey } from '../src/did/key.js'
import type { Did } from '../src/did/did.js'
import { parsePublicKey, verifyEd25519 } from '../src/ed25519.js'
import { createVerifier } from '../src/verifier/verifier.js'
import { canonicalize, type Json } from '../src/json.js'
import { base58btc } from 'multiformats/bases/base58'
import { inflateSync } from 'node:zlib'

const DIR = join(import.meta.dirname, 'vectors')
const json = <T>(...path: string[]): T => JSON.parse(readFileSync(join(DIR, ...path), 'utf8')) as T
const runner = {
  createVerifier,
  ids: systemIds,
  stores: () => ({ ledger: memoryLedger(systemClock, { budgets: true }), listVersions: memoryVersions() }),
}

describe('procura decisions', () => {
  const shared = join(import.meta.dirname, '../../shared/vectors/procura')
  const files = [join(DIR, 'procura'), shared].flatMap(folder =>
    existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : [],
  )
  test.each(files)('%s', async file => {
    const report = await runVectors(JSON.parse(readFileSync(file, 'utf8')) as Json, runner, file)
    expect(report.misses).toEqual([])
    expect(report.passed).toBeGreaterThanOrEqual(basename(file) === 'decisions.json' ? 134 : 1)
  })

  test('a wrong expectation is a miss that names both answers', async () => {
    const file = json<{ common: Json; cases: { name: string; given: Json; expect: Json }[] }>(
      'procura',
      'decisions.json',
    )
    const [first] = file.cases
    const wrong = { common: file.common, cases: [{ ...first!, expect: { allow: false, code: 'TIME_EXPIRED' } }] }
    const report = await runVectors(wrong, runner, 'wrong')
    expect(report).toEqual({ passed: 0, misses: ['chain of three: expected TIME_EXPIRED, got allow'] })
  })
})

describe('Wycheproof Ed25519', () => {
  interface Group {
    publicKey: { pk: string }
    tests: { tcId: number; comment: string; msg: string; sig: string; result: 'valid' | 'invalid' }[]
  }
  const groups = json<{ numberOfTests: number; testGroups: Group[] }>('third-party', 'wycheproof', 'ed25519_test.json')
  const cases = groups.testGroups.flatMap(({ publicKey, tests }) => tests.map(one => ({ ...one, pk: publicKey.pk })))

  test('all cases', () => {
    expect(cases).toHaveLength(groups.numberOfTests)
    const wrong = cases.filter(({ pk, msg, sig, result }) => verdict(pk, msg, sig) !== result)
    expect(wrong).toEqual([])
  })

  function verdict(pk: string, msg: string, sig: string): 'valid' | 'invalid' {
    const key = parsePublicKey(Buffer.from(pk, 'hex'), 'vector')
    return verifyEd25519(key, Buffer.from(msg, 'hex'), Buffer.from(sig, 'hex')) ? 'valid' : 'invalid'
  }
})

describe('JCS', () => {
  const names = readdirSync(join(DIR, 'third-party/jcs/input'))
  test.each(names)('%s', name => {
    const bytes = Buffer.from(canonicalize(json('third-party', 'jcs', 'input', name)))
    expect(bytes.toString()).toBe(readFileSync(join(DIR, 'third-party/jcs/output', name), 'utf8').trimEnd())
    const hex = readFileSync(join(DIR, 'third-party/jcs/outhex', name.replace('.json', '.txt')), 'utf8')
    expect(bytes.toString('hex')).toBe(hex.replace(/\s/g, ''))
  })
})

describe('did:key Ed25519', () => {
  interface Entry {
    verificationKeyPair?: { publicKeyBase58?: string; publicKeyJwk?: { x: string } }
    didDocument: { verificationMethod: { publicKeyBase58?: string; publicKeyJwk?: { x: string } }[] }
  }
  const entries = Object.entries(json<Record<string, Entry>>('third-party', 'did-key', 'ed25519-x25519.json'))
  test.each(entries)('%s', (did, { didDocument }) => {
    const [method] = didDocument.verificationMethod
    const expected =
      method?.publicKeyJwk?.x ??
      Buffer.from(base58btc.decode(`z${method?.publicKeyBase58 ?? ''}`)).toString('base64url')
    expect(fromDidKey(did as Did).x).toBe(expected)
  })
})

describe('status lists: the token list of the IETF draft is not a bitstring list', () => {
  interface Case {
    bits: number
    size: number
    statuses: Record<string, number>
    json: { lst: string }
  }
  const cases = json<{ appendix: Case[] }>('third-party', 'token-status-list', 'vectors.json').appendix

  test.each(cases)('$bits bit: zlib is refused', ({ json: { lst } }) => {
    expect(() => decodeList(`u${lst}`, 'list')).toThrow(expect.objectContaining({ code: 'STATUS_ENCODING' }))
  })

  test('1 bit: the same statuses, least significant bit first there, most significant first here', () => {
    const {
      size,
      statuses,
      json: { lst },
    } = cases.find(({ bits }) => bits === 1)!
    const theirs = inflateSync(Buffer.from(lst, 'base64url'))
    const ours = decodeList(encodeList(bitsOf(size, Object.keys(statuses).map(Number))), 'list')
    expect(ours).toHaveLength(theirs.length)
    const reversed = theirs.map(byte =>
      Number.parseInt(byte.toString(2).padStart(8, '0').split('').reverse().join(''), 2),
    )
    expect(Buffer.from(ours).equals(Buffer.from(reversed))).toBe(true)
    for (const index of Object.keys(statuses)) expect(bitAt(ours, Number(index))).toBe(true)
    expect(bitAt(ours, 1)).toBe(false)
  })
})
