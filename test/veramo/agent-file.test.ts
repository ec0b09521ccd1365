import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readAgentFile } from '../../src/adapters/veramo/agent-file.js'
import { AGENT_YML, file, folder, refusal, yml } from './world.js'

describe('the shipped agent.yml', () => {
  test('reads, and its own block is plain', async () => {
    const agentFile = await readAgentFile(AGENT_YML, {})
    expect(await agentFile.resolve(['procura'])).toMatchObject({
      origin: 'https://procura.example',
      keyFile: 'data/var/procura.key',
      listen: { host: '127.0.0.1' },
      connect: {},
    })
  })
})

describe('files that cannot be read', () => {
  test.each<[string, () => string, string]>([
    [
      'missing',
      () => join(folder(), 'agent.yml'),
      'agent.yml: does not exist; copy the one of the package, or name another file',
    ],
    ['a folder', () => folder(), 'is not a file; name the agent.yml itself'],
    ['below a file', () => join(file('x'), 'agent.yml'), 'agent.yml: cannot be read (ENOTDIR); let this user read it'],
    ['not UTF-8', () => file(Buffer.from([0x61, 0x3a, 0x20, 0xff])), 'agent.yml: is not UTF-8; save it as UTF-8'],
    ['UTF-16', () => file(Buffer.from('\ufeffversion: 3.0', 'utf16le')), 'agent.yml: is not UTF-8; save it as UTF-8'],
    [
      'too long',
      () => file(`version: 3.0\n#${'x'.repeat(262_144)}`),
      'agent.yml: has 262158 bytes; shorten it to 262144',
    ],
    ['empty', () => file(''), 'agent.yml:1: is not a map of sections; start from the agent.yml of the package'],
    [
      'a list',
      () => file('- a\n- b'),
      'agent.yml:1: is not a map of sections; start from the agent.yml of the package',
    ],
    [
      'of another version',
      () => file('# x\nversion: 2.0'),
      'agent.yml:2 version: is not 3.0, the only version of the syntax known here',
    ],
    [
      'without version',
      () => file('procura: {}'),
      'agent.yml:1 version: is not 3.0, the only version of the syntax known here',
    ],
  ])('%s', async (_what, path, message) => {
    expect(await refusal(path())).toContain(message)
  })

  test('a pipe is not waited for', async () => {
    const path = join(folder(), 'agent.yml')
    execFileSync('mkfifo', [path])
    expect(await refusal(path)).toBe('agent.yml: is not a file; name the agent.yml itself')
  })

  test('a byte order mark and a file of exactly the limit are fine', async () => {
    expect(await refusal(file('\ufeffversion: 3.0'))).toBe('read without complaint')
    const head = 'version: 3.0\n#'
    expect(await refusal(file(head + 'x'.repeat(262_144 - head.length)))).toBe('read without complaint')
  })
})

describe('YAML', () => {
  test.each<[string, string[], RegExp]>([
    ['bad indentation', ['a:', '   b: 1', '  c: 2'], /^agent\.yml:4: YAML: /],
    ['a tab', ['a:', '\tb: 1'], /^agent\.yml:3: YAML: /],
    ['a duplicate key', ['a: 1', 'b: 2', 'a: 3'], /^agent\.yml:4: YAML: Map keys must be unique/],
    ['a second version', ['version: 3.0'], /^agent\.yml:2: YAML: Map keys must be unique/],
    ['a second document', ['---', 'version: 3.0'], /^agent\.yml:2: YAML: /],
    ['an anchor', ['a: &x 1'], /^agent\.yml:2 a: YAML anchors are not read here/],
    ['an anchor on a map', ['a: 1', 'b: &x', '  c: 1'], /^agent\.yml:3 b: YAML anchors/],
    ['an anchor on a key', ['&x a: 1'], /^agent\.yml:2 a: is no name/],
    ['a tag on a key', ['!!str a: 1'], /^agent\.yml:2 a: is no name/],
    ['an alias', ['a: *x'], /^agent\.yml:2 a: YAML anchors/],
    ['a merge key', ['a:', '  <<: {b: 1}'], /^agent\.yml:3 a\["<<"\]: is no name/],
    ['a standard tag', ['a: !!str 5'], /^agent\.yml:2 a: YAML tags/],
    ['a standard tag on a list', ['a: !!seq [1]'], /^agent\.yml:2 a: YAML tags/],
    ['a custom tag', ['a: !env HOME'], /^agent\.yml:2: YAML: Unresolved tag/],
    ['a tag for code', ['a: !!js/function "x"'], /^agent\.yml:2: YAML: Unresolved tag/],
    ['a map as key', ['? {a: 1}', ': 2'], /^agent\.yml:2: YAML: /],
    ['__proto__', ['a:', '  __proto__: {b: 1}'], /^agent\.yml:3 a\.__proto__: is no name/],
    ['constructor', ['constructor: 1'], /^agent\.yml:2 constructor: is no name/],
    ['infinity', ['a: [1, .inf]'], /^agent\.yml:2 a\[1\]: is not a finite number/],
    ['nesting', [`a: ${'['.repeat(40)}${']'.repeat(40)}`], /^agent\.yml:2: nests deeper than 32 levels/],
    ['nesting on the next line', ['a:', `  ${'- '.repeat(40)}x`], /^agent\.yml:3: nests deeper than 32 levels/],
    ['absurd nesting', [`a: ${'['.repeat(100_000)}${']'.repeat(100_000)}`], /^agent\.yml:2: nests deeper/],
    ['absurd nesting of maps', [`a: ${'{a: '.repeat(40_000)}${'}'.repeat(40_000)}`], /^agent\.yml:2: nests deeper/],
    ['absurd nesting of lists', ['a:', `  ${'- '.repeat(100_000)}x`], /^agent\.yml:3: nests deeper/],
    ['absurd nesting of keys', ['a: 1', `${'? '.repeat(100_000)}x`], /^agent\.yml:3: nests deeper/],
  ])('%s is refused', async (_what, lines, message) => {
    expect(await refusal(yml(...lines))).toMatch(message)
  })

  test.each([['%YAML 1.1'], ['%TAG ! tag:example.org,2026:']])('the directive %s is refused', async directive => {
    expect(await refusal(file(`${directive}\n---\nversion: 3.0\n`))).toBe(
      'agent.yml:1: YAML: directives (%) are not read here',
    )
  })

  test('yes and no are words, 010 is ten', async () => {
    const agentFile = await readAgentFile(yml('a: [yes, no, 010, null, true, 1e3]'), {})
    expect(await agentFile.resolve(['a'])).toEqual(['yes', 'no', 10, null, true, 1000])
  })
})

describe('where things stand', () => {
  test('each path has its line, and what is missing has the line of what would hold it', async () => {
    const agentFile = await readAgentFile(
      yml(
        'procura:',
        '  origin: x',
        '  connect:',
        '    https://a.example: 127.0.0.1',
        '  list:',
        '    - a',
        '    -',
        '      b: 1',
      ),
      {},
    )
    const line = (...path: (string | number)[]) => agentFile.locate(path)
    expect([line(), line('procura'), line('procura', 'origin')]).toEqual([1, 2, 3])
    expect([line('procura', 'connect', 'https://a.example'), line('procura', 'list', 0)]).toEqual([5, 7])
    expect([line('procura', 'list', 1, 'b'), line('procura', 'list', 7), line('nowhere', 'x')]).toEqual([9, 6, 1])
    expect([line('procura', 'storage'), line('procura', 'origin', 'deeper')]).toEqual([2, 3])
    const error = agentFile.invalid(['procura', 'connect', 'https://a.example'], 'is wrong')
    expect(error.message).toContain('agent.yml:5 procura.connect["https://a.example"]: is wrong')
    expect(agentFile.invalid(['procura', 'list', 0], 'x').facts['at']).toMatch(/agent\.yml:7 procura\.list\[0\]$/)
  })
})

describe('$env, $ref, $require', () => {
  test.each<[string, string[], RegExp]>([
    [
      'a missing variable',
      ['a:', '  b: {$env: NOT_SET}'],
      /^agent\.yml:3 a\.b: environment variable NOT_SET is not set$/,
    ],
    ['an empty variable', ['a: {$env: EMPTY}'], /^agent\.yml:2 a: environment variable EMPTY is not set$/],
    [
      'a member of every object',
      ['a: {$env: constructor}'],
      /^agent\.yml:2 a: environment variable constructor is not set$/,
    ],
    ['a number for a variable', ['a: {$env: 5}'], /^agent\.yml:2 a: names no environment variable$/],
    ['$env with company', ['a: {$env: HOST, b: 1}'], /^agent\.yml:2 a: must be \$ref alone/],
    ['$ref with company', ['a: {$ref: /version, b: 1}'], /^agent\.yml:2 a: must be \$ref alone/],
    ['$args without $require', ['a: {$args: []}'], /^agent\.yml:2 a: must be \$ref alone/],
    ['an unknown directive', ['a: {$file: x}'], /^agent\.yml:2 a: must be \$ref alone/],
    ['$args that are no list', ['a: {$require: x, $args: {b: 1}}'], /^agent\.yml:2 a\.\$args: is not a list$/],
    ['$require of a number', ['a: {$require: 5}'], /^agent\.yml:2 a\.\$require: is not a text$/],
    [
      'a dangling $ref',
      ['a:', '  - {$ref: /b/c}', 'b: {}'],
      /^agent\.yml:3 a\[0\]: \$ref names \/b\/c, which is not in the file$/,
    ],
    ['a $ref past the list', ['a: {$ref: /b/1}', 'b: [1]'], /^agent\.yml:2 a: \$ref names \/b\/1, which/],
    [
      'a $ref to an inherited member',
      ['a: {$ref: /b/toString}', 'b: {}'],
      /^agent\.yml:2 a: \$ref names \/b\/toString, which/,
    ],
    ['a $ref without slash', ['a: {$ref: version}'], /^agent\.yml:2 a: \$ref is not a JSON pointer/],
    ['a $ref to another file', ['a: {$ref: "other.yml#/a"}'], /^agent\.yml:2 a: \$ref is not a JSON pointer/],
    ['a $ref of a map', ['a: {$ref: {b: 1}}'], /^agent\.yml:2 a: \$ref is not a JSON pointer/],
  ])('%s is refused', async (_what, lines, message) => {
    expect(await refusal(yml(...lines), { EMPTY: '', HOST: 'h' })).toMatch(message)
  })

  test.each<[string, string[], number]>([
    ['itself', ['a: {$ref: /a}'], 2],
    ['what holds it', ['a:', '  b: {$ref: /a}'], 3],
    ['each other', ['a: {$ref: /b}', 'b: {$ref: /a}'], 3],
    ['through $args', ['a: {$require: "m?t=function#f", $args: [{$ref: /b}]}', 'b: {c: {$ref: /a}}'], 3],
  ])('a $ref to %s is refused', async (_what, lines, line) => {
    const agentFile = await readAgentFile(yml(...lines), {})
    await expect(agentFile.resolve(['a'], () => Promise.resolve(1))).rejects.toThrow(
      new RegExp(`agent\\.yml:${line} .*: leads back to itself`),
    )
  })

  test('values arrive as they are, null and false too', async () => {
    const agentFile = await readAgentFile(
      yml(
        'c: {port: 0, off: false, none: null, "a/b~": x, list: [7]}',
        'a: [{$ref: /c/port}, {$ref: /c/off}, {$ref: /c/none}, {$ref: /c/a~1b~0}, {$ref: /c/list/0}, {$env: HOST}]',
      ),
      { HOST: 'h' },
    )
    expect(await agentFile.resolve(['a'])).toEqual([0, false, null, 'x', 7, 'h'])
    expect(await agentFile.resolve(['c', 'list', 0])).toBe(7)
    await expect(agentFile.resolve(['c', 'gone'])).rejects.toThrow(/agent\.yml:2 c\.gone: is missing/)
  })

  test('what several $ref name is made once, after its arguments', async () => {
    const agentFile = await readAgentFile(
      yml(
        'a: [{$ref: /b}, {$ref: /b}, {$ref: /d/0}]',
        'b: {$require: "m#B", $args: [{$require: "m#C", $args: [1]}]}',
        'd: [{$ref: /b}]',
      ),
      {},
    )
    const made: string[] = []
    const all = (await agentFile.resolve(['a'], (required, args, at) => {
      made.push(`${required} ${JSON.stringify(args)} ${at.join('/')}`)
      return Promise.resolve({ required })
    })) as object[]
    expect(made).toEqual(['m#C [1] b/$args/0', 'm#B [{"required":"m#C"}] b'])
    expect(all[1]).toBe(all[0])
    expect(all[2]).toBe(all[0])
    expect(agentFile.requirements).toEqual([
      { at: ['b', '$args', 0], required: 'm#C' },
      { at: ['b'], required: 'm#B' },
    ])
  })

  test('where only plain values may stand, $require is refused', async () => {
    const agentFile = await readAgentFile(
      yml('procura:', '  origin: {$ref: /x}', 'x: {$require: "@veramo/core#Agent"}'),
      {},
    )
    await expect(agentFile.resolve(['procura'])).rejects.toThrow(/agent\.yml:4 x: is \$require, only a plain value/)
  })
})
