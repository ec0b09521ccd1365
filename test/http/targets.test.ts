import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testAuthority, type TestAgent, type TestAuthority } from '../../src/entry/testing.js'
import { FRAMEWORKS, type Api } from './frameworks.js'
import { sendRaw } from './raw.js'

/**
 * An agent that may enter room 1 alone, and signs whatever it likes: any target on the wire, with room 1 as what it
 * wants. Whatever a framework makes of the target, no other room's handler runs.
 */
const API = 'https://api.example'
const PIECES = ['/', '//', '/./', '/../', '\\', '%2f', '%2e%2e/', '%5c', ';', ';x=', '?', '?/', '#', '&', '=', '@', ':', '.', '..', 'rooms', 'Rooms', 'ROOMS', 'api', '1', '2', '%31', '%32', '%00', '\u00e9', '\u00ff', 'http://x', '*', '+', "'", '"', '<', '|', '^', '~', '{', '}'] // prettier-ignore
const KNOWN = ['/rooms/2', '/rooms/1/../2', '/rooms/1%2f..%2f2', '/rooms/1;/../2', '/rooms/2?x=/rooms/1', '/rooms/2#/rooms/1', '/rooms/2%3f/rooms/1', '//x/rooms/2', '/rooms//2', '/Rooms/2', '/rooms/2/', '\\rooms\\2', '/rooms\\2', 'http://x/rooms/2', `${API}/rooms/2`, '/rooms/%32', '/rooms/2.', '/./rooms/2', '/rooms/1?/../2', '/api/../rooms/2', '*'] // prettier-ignore

let authority: TestAuthority
let agent: TestAgent
const entered: string[] = []

beforeAll(async () => {
  const policy = { self: API, roots: [{ issuer: 'did:web:acme.example', grants: [{ resource: `${API}/rooms/1`, actions: ['enter'] }] }] } // prettier-ignore
  authority = await testAuthority({ policy })
  agent = await authority.agent()
})

describe.each(FRAMEWORKS)('%s', (_name, serve) => {
  let api: Api
  beforeAll(async () => {
    const enter = (path: string) => ({
      method: 'GET' as const,
      path,
      action: 'enter',
      params: () => ({}),
      handle: () => ({ entered: entered.push(path) }),
    })
    api = await serve(authority.verifier, [enter('/rooms/1'), enter('/rooms/2'), enter('/api/rooms/2')])
  })
  afterAll(() => api.close())

  /** Asks for a target as it is, signed for exactly that, in the name of room 1. */
  async function ask(target: string): Promise<readonly string[]> {
    entered.length = 0
    const [url, resource] = [`${API}${target}`, `${API}/rooms/1`]
    const presentation = await agent.present({ method: 'GET', url, bodyDigest: null, audience: API, action: 'enter', resource, params: {} }) // prettier-ignore
    await sendRaw(api.address, { target, headers: { 'agent-presentation': presentation } }).catch(() => undefined)
    return [...entered]
  }

  test('room 1 may be entered, with any query', async () => {
    expect(await ask('/rooms/1')).toEqual(['/rooms/1'])
    expect(await ask('/rooms/1?as=2&%2e%2e/')).toEqual(['/rooms/1'])
  })

  test.each(KNOWN)('%s', async target => {
    expect((await ask(target)).filter(room => room !== '/rooms/1')).toEqual([])
  })

  test('and no other one by any target', async () => {
    const target = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 7 }).map(pieces => pieces.join(''))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('', '/', '/rooms/', '/rooms/2', '/rooms/1'), target, async (start, rest) => {
        expect((await ask(`${start}${rest}`)).filter(room => room !== '/rooms/1')).toEqual([])
      }),
      { numRuns: 150 },
    )
  })
})
