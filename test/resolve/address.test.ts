import { describe, expect, test } from 'vitest'
import { isForbiddenHost, isPublicAddress } from '../../src/adapters/resolve/address.js'
import { parseConnect } from '../../src/adapters/resolve/connect.js'

describe('addresses', () => {
  test.each(['8.8.8.8', '1.0.0.1', '2606:4700::1111', '2a00:1450:4001::1', '::ffff:8.8.8.8'])('%s is public', text => {
    expect(isPublicAddress(text)).toBe(true)
  })

  test.each([
    ['loopback', '127.0.0.1'],
    ['loopback, not .1', '127.255.255.254'],
    ['this network', '0.0.0.0'],
    ['private', '10.0.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['link-local: cloud metadata', '169.254.169.254'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['benchmarking', '198.18.0.1'],
    ['documentation', '203.0.113.7'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['IPv6 loopback', '::1'],
    ['unspecified', '::'],
    ['IPv4-mapped loopback', '::ffff:127.0.0.1'],
    ['IPv4-mapped private', '::ffff:10.0.0.1'],
    ['IPv4-compatible loopback', '::127.0.0.1'],
    ['translated', '::ffff:0:127.0.0.1'],
    ['NAT64', '64:ff9b::127.0.0.1'],
    ['NAT64 of a public address', '64:ff9b::8.8.8.8'],
    ['local NAT64', '64:ff9b:1::127.0.0.1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001::7f00:1'],
    ['ISATAP in a public prefix', '2606:4700::5efe:127.0.0.1'],
    ['ISATAP, universal bit', '2606:4700::200:5efe:127.0.0.1'],
    ['unique local', 'fd00::1'],
    ['link-local', 'fe80::1'],
    ['link-local with zone', 'fe80::1%lo'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['documentation', '2001:db8::1'],
    ['not given out', '4000::1'],
    ['octal', '0177.0.0.1'],
    ['decimal', '2130706433'],
    ['not an address', 'example.com'],
    ['nothing', ''],
  ])('%s: %s is not', (_, text) => {
    expect(isPublicAddress(text)).toBe(false)
  })
})

describe('hosts by name alone', () => {
  test.each(['example.com', 'local.example', 'localhost.example.com', '1.example', 'xn--bcher-kva.example'])(
    '%s may be asked about',
    host => expect(isForbiddenHost(host)).toBe(false),
  )

  test.each([
    'localhost',
    'a.localhost',
    'printer.local',
    'db.internal',
    'intranet',
    'example.com.',
    'localhost.',
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0x7f000001',
    '0177.0.0.01',
    '8.8.8.8',
    '[::1]',
    '[::ffff:7f00:1]',
    '[::ffff:127.0.0.1]',
    '',
  ])('"%s" is forbidden', host => expect(isForbiddenHost(host)).toBe(true))
})

describe('connect', () => {
  test.each([
    ['https://registry.acme.example', 'http://127.0.0.1:8021'],
    ['https://registry.acme.example:8443', 'http://[::1]:8021'],
    ['https://registry.acme.example', 'https://10.0.0.7:8443'],
    ['https://registry.acme.example', 'https://backend.internal'],
  ])('%s → %s', (origin, address) => expect(parseConnect({ [origin]: address }).get(origin)).toBe(address))

  test.each([
    ['http to another machine', 'https://a.example', 'http://10.0.0.7:8021'],
    ['http to a name', 'https://a.example', 'http://localhost:8021'],
    ['http to every interface', 'https://a.example', 'http://0.0.0.0:8021'],
    ['a path', 'https://a.example', 'http://127.0.0.1:8021/x'],
    ['userinfo', 'https://a.example', 'http://u:p@127.0.0.1:8021'],
    ['another scheme', 'https://a.example', 'ftp://127.0.0.1'],
    ['not a URL', 'https://a.example', '127.0.0.1:8021'],
    ['an http origin', 'http://a.example', 'http://127.0.0.1:8021'],
    ['an origin with a path', 'https://a.example/', 'http://127.0.0.1:8021'],
    ['an origin that is not canonical', 'https://A.example:443', 'http://127.0.0.1:8021'],
  ])('refuses %s', (_, origin, address) => {
    expect(() => parseConnect({ [origin]: address })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})
