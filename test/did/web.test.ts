import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isDid, type Did } from '../../src/did/did.js'
import { didWebOf, didWebUrl } from '../../src/did/web.js'

describe('did:web', () => {
  test.each([
    ['did:web:w3c-ccg.github.io', 'https://w3c-ccg.github.io/.well-known/did.json'],
    ['did:web:w3c-ccg.github.io:user:alice', 'https://w3c-ccg.github.io/user/alice/did.json'],
    ['did:web:example.com%3A3000:user:alice', 'https://example.com:3000/user/alice/did.json'],
    ['did:web:example.com%3A3000', 'https://example.com:3000/.well-known/did.json'],
    ['did:web:acme.example:agents:Planner_1.v2', 'https://acme.example/agents/Planner_1.v2/did.json'],
    ['did:web:127.0.0.1%3A8021', 'https://127.0.0.1:8021/.well-known/did.json'],
    ['did:web:localhost', 'https://localhost/.well-known/did.json'],
  ] as const)('%s is at %s', (did, url) => {
    expect(didWebUrl(did)).toBe(url)
    expect(didWebOf(url.replace('/.well-known', '').replace('/did.json', ''))).toBe(did)
  })

  test.each([
    ['%2F in the path', 'did:web:a.example:x%2Fy'],
    ['%2F in the host', 'did:web:a.example%2Fx'],
    ['%2e in the path', 'did:web:a.example:%2e%2e:x'],
    ['%40: userinfo', 'did:web:u%40a.example'],
    ['%23: fragment', 'did:web:a.example%23x'],
    ['%3F: query', 'did:web:a.example:x%3Fy'],
    ['%5B: IPv6', 'did:web:%5B%3A%3A1%5D'],
    ['a port in the path', 'did:web:a.example:x%3A80'],
    ['two ports', 'did:web:a.example%3A80%3A81'],
    ['%3a in lower case', 'did:web:a.example%3a8021'],
    ['an empty port', 'did:web:a.example%3A'],
    ['port 0', 'did:web:a.example%3A0'],
    ['a port with a zero in front', 'did:web:a.example%3A080'],
    ['port 65536', 'did:web:a.example%3A65536'],
    ['the port that https has anyway', 'did:web:a.example%3A443'],
    ['a port that is no number', 'did:web:a.example%3Ahttp'],
    ['dot segments', 'did:web:a.example:..:x'],
    ['a dot segment', 'did:web:a.example:.'],
    ['an empty segment', 'did:web:a.example::x'],
    ['an empty host', 'did:web::x'],
    ['upper case', 'did:web:A.example'],
    ['an underscore', 'did:web:a_b.example'],
    ['a label that starts with -', 'did:web:-a.example'],
    ['a label that ends with -', 'did:web:a-.example'],
    ['an empty label', 'did:web:a..example'],
    ['a trailing dot', 'did:web:a.example.'],
    ['a label of 64', `did:web:${'a'.repeat(64)}.example`],
    ['a host of 254', `did:web:${'a.'.repeat(126)}aa`],
    ['another method', 'did:key:z6Mk'],
  ] as [string, Did][])('refuses %s', (_, did) => {
    expect(() => didWebUrl(did)).toThrow(expect.objectContaining({ code: 'DID_RESOLUTION' }))
  })

  test.each([
    'http://a.example',
    'https://a.example/',
    'https://a.example//x',
    'https://a.example/x/',
    'https://a.example/x?y',
    'https://a.example/x#y',
    'https://a.example/x:y',
    'https://a.example/x%20y',
    'https://a.example/..',
    'https://u@a.example',
    'https://A.example',
    'https://a.example:443',
    'https://[::1]',
    'https://',
    'did:web:a.example',
    `https://a.example${'/x'.repeat(300)}`,
    '',
  ])('no did:web names "%s"', url => {
    expect(() => didWebOf(url)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  test('what it reads is a canonical https URL below the host that the DID names, and no two DIDs share one', () => {
    const text = fc.stringMatching(/^[a-z0-9.%A3:-]{1,24}$/)
    fc.assert(
      fc.property(text, rest => {
        const did: Did = `did:web:${rest}`
        let url: string
        try {
          url = didWebUrl(did)
        } catch {
          return true
        }
        const [authority = ''] = rest.split(':')
        // a number as last label is an address to URL parsers; the adapter refuses those hosts
        const address = /(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)(?:%3A|$)/.test(authority)
        return (
          !isDid(did) ||
          (didWebOf(url.replace('/.well-known', '').replace('/did.json', '')) === did &&
            (address || (new URL(url).href === url && new URL(url).host === authority.replace('%3A', ':'))))
        )
      }),
      { numRuns: 5000 },
    )
  })
})
