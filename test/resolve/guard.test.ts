import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createFetch, type FetchOptions, type GuardedFetch } from '../../src/adapters/resolve/fetch.js'
import { watchAttempts } from './host.js'

/** Routable by its range, and given to nobody since the 6bone closed. */
const NOWHERE = { address: '3ffe::1', family: 6 }
const LOOPBACK = { address: '127.0.0.1', family: 4 }

function fetchWith(options: FetchOptions): GuardedFetch {
  const fetch = createFetch({ deadline: 500, ...options })
  onTestFinished(() => fetch.close())
  return fetch
}

describe('what is refused before any I/O', () => {
  test.each([
    ['loopback', 'https://127.0.0.1/', 'forbidden'],
    ['short loopback', 'https://127.1/', 'forbidden'],
    ['decimal', 'https://2130706433/', 'forbidden'],
    ['octal', 'https://0177.0.0.1/', 'forbidden'],
    ['hex', 'https://0x7f000001/', 'forbidden'],
    ['full-width digits', 'https://１２７.0.0.1/', 'forbidden'],
    ['IPv6 loopback', 'https://[::1]/', 'forbidden'],
    ['IPv4-mapped', 'https://[::ffff:127.0.0.1]/', 'forbidden'],
    ['a public address', 'https://8.8.8.8/', 'forbidden'],
    ['localhost', 'https://localhost/', 'forbidden'],
    ['below localhost', 'https://a.localhost/', 'forbidden'],
    ['localhost with a dot', 'https://localhost./', 'forbidden'],
    ['mDNS', 'https://printer.local/', 'forbidden'],
    ['internal', 'https://metadata.google.internal/', 'forbidden'],
    ['a single label', 'https://intranet/', 'forbidden'],
    ['http', 'http://a.example/', 'failed'],
    ['file', 'file:///etc/passwd', 'failed'],
    ['data', 'data:text/plain,x', 'failed'],
    ['userinfo', 'https://u:p@a.example/', 'failed'],
    ['a fragment', 'https://a.example/#x', 'failed'],
    ['an empty fragment', 'https://a.example/#', 'failed'],
    ['upper case', 'https://A.example/', 'failed'],
    ['dot segments', 'https://a.example/x/%2e%2e/y', 'failed'],
    ['not a URL', 'https://', 'failed'],
  ])('%s: %s', async (_, url, kind) => {
    const lookup = vi.fn(() => Promise.resolve([LOOPBACK]))
    const attempts = watchAttempts()
    const reply = await fetchWith({ lookup }).get(url, { maxBytes: 1, accept: '*/*' })
    expect(reply.kind).toBe(kind)
    expect(lookup).not.toHaveBeenCalled()
    expect(attempts).toEqual([])
  })
})

describe('name resolution', () => {
  const get = (fetch: GuardedFetch) => fetch.get('https://rebind.example/', { maxBytes: 1, accept: '*/*' })

  test('the address that was checked is the address that is dialled; a second answer is judged anew', async () => {
    const lookup = vi.fn().mockResolvedValueOnce([NOWHERE]).mockResolvedValue([LOOPBACK])
    const attempts = watchAttempts()
    const fetch = fetchWith({ lookup })
    expect((await get(fetch)).kind).toBe('failed')
    expect(lookup).toHaveBeenCalledTimes(1)
    expect(attempts).toEqual([NOWHERE.address])
    expect(await get(fetch)).toEqual({ kind: 'forbidden', host: 'rebind.example' })
    expect(attempts).toEqual([NOWHERE.address])
  })

  test.each([
    ['only loopback', [LOOPBACK]],
    ['loopback after a public one', [NOWHERE, LOOPBACK]],
    ['loopback before a public one', [LOOPBACK, NOWHERE]],
    ['IPv4-mapped', [{ address: '::ffff:127.0.0.1', family: 6 }]],
    ['cloud metadata', [{ address: '169.254.169.254', family: 4 }]],
  ])('a name with %s is forbidden', async (_, answer) => {
    const attempts = watchAttempts()
    expect((await get(fetchWith({ lookup: () => Promise.resolve(answer) }))).kind).toBe('forbidden')
    expect(attempts).toEqual([])
  })

  test.each([
    ['no address', () => Promise.resolve([])],
    ['an error', () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' }))],
  ])('a name with %s fails', async (_, lookup) => {
    expect(await get(fetchWith({ lookup }))).toEqual({ kind: 'failed', why: 'ENOTFOUND' })
  })

  test('a name server that never answers costs one deadline', async () => {
    const started = performance.now()
    const reply = await get(fetchWith({ lookup: () => new Promise(() => undefined), deadline: 100 }))
    expect(reply).toEqual({ kind: 'failed', why: 'DEADLINE' })
    expect(performance.now() - started).toBeLessThan(2000)
  })
})
