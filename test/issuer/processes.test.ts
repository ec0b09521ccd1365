import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bitAt, decodeList } from '../../src/status/bitstring.js'
import { killed } from '../drills/killing.mjs'
import { startIssuer, tellings, type Told } from '../drills/issuer-process.mjs'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'procura-issuing-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

const run = (...words: string[]): Promise<Told> => startIssuer(folder, words).told
const placesOf = (told: Told): string[] => tellings(told, 'issued').map(([, url, index]) => `${url}#${index}`)
const digestsOf = (told: Told): string[] => [...new Set(tellings(told, 'issued').map(([digest = '']) => digest))]

/** The lists as a process of its own serves them. */
async function listsOf(urls: readonly string[]): Promise<Map<string, { version: number; bits: Uint8Array }>> {
  const lists = new Map<string, { version: number; bits: Uint8Array }>()
  for (const [url = '', version, token = ''] of tellings(await run('list', ...urls), 'list')) {
    const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      credentialSubject: { encodedList: string }
    }
    lists.set(url, { version: Number(version), bits: decodeList(credentialSubject.encodedList, url) })
  }
  return lists
}

async function changeAll(change: string, digests: readonly string[], part: string): Promise<Told> {
  const file = join(folder, `digests-${part}`)
  await writeFile(file, digests.join('\n'))
  return run('change', change, file)
}

describe('two processes on one database', () => {
  test('100 revocations at once on one list: 100 bits, and no index was handed out twice', async () => {
    const granted = await Promise.all([run('grant', '50'), run('grant', '50')])
    const digests = granted.flatMap(digestsOf)
    expect(new Set(digests).size).toBe(100)
    expect(new Set(granted.flatMap(placesOf)).size).toBe(200)
    const changed = await Promise.all([
      changeAll('revoke', digests.slice(0, 50), 'a'),
      changeAll('revoke', digests.slice(50), 'b'),
    ])
    const places = changed.flatMap(told => tellings(told, 'changed'))
    expect(places).toHaveLength(100)
    const lists = await listsOf([...new Set(places.map(([url = '']) => url))])
    for (const [url = '', index, version] of places) {
      const list = lists.get(url)!
      expect(bitAt(list.bits, Number(index))).toBe(true)
      expect(list.version).toBeGreaterThanOrEqual(Number(version))
    }
  })

  test('a race of suspend, resume and revoke ends revoked', async () => {
    const digests = digestsOf(await run('grant', '10'))
    const [, , revoked] = await Promise.all(
      ['suspend', 'resume', 'revoke'].map((change, n) => changeAll(change, digests, `race-${n}`)),
    )
    const places = tellings(revoked!, 'changed')
    const lists = await listsOf([...new Set(places.map(([url = '']) => url))])
    expect(places.filter(([url = '', index]) => bitAt(lists.get(url)!.bits, Number(index)))).toHaveLength(10)
  })
})

test('kill -9 at any moment, three times: nothing acknowledged is lost, no index comes twice, no version falls', async () => {
  const found = await killed(await mkdtemp(join(folder, 'killed-')), 3)
  expect(found).toMatchObject({ lost: 0, twice: 0, fell: 0 })
  expect(found.revoked).toBeGreaterThan(0)
})
