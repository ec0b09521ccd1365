import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Rings, innermost first. A file may import its own ring and the rings before it, never a later one. */
const RINGS = [
  { name: 'ground', holds: /^(errors|signer|encoding|json|shape|sharing|time|ed25519)\.ts$|^(did|ports)\// },
  { name: 'what', holds: /^(jws|credential|authority|delegation|presentation|status|policy|audit|event|api)\// },
  { name: 'who', holds: /^(issuer|registrar|verifier|wallet)\// },
  { name: 'how', holds: /^adapters\// },
  { name: 'entry', holds: /^entry\/|^index\.ts$/ },
]
/** What code outside adapters and entry may import from elsewhere: it computes and does nothing else. */
const PURE = new Set(['node:crypto', 'node:zlib', 'multiformats/bases/base58', 'lru-cache', 'zod'])
const WORLD = [
  /\bDate\.now\(/,
  /\bnew Date\(\)/,
  /\bprocess\./,
  /\bMath\.random\b/,
  /\bfetch\(/,
  /\bconsole\./,
  /\brandom(Bytes|UUID|Int)\b/,
  /\bset(Timeout|Interval|Immediate)\b/,
]
const MAX_LINES = 260
/** What adapters of several servers share. */
const SHARED = 'adapters/circuit.ts'

const SRC = join(import.meta.dirname, '../src')
const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map(path => path.split('\\').join('/'))
  .filter(path => path.endsWith('.ts'))

interface Import {
  readonly to: string
  readonly typeOnly: boolean
}

function importsOf(file: string): Import[] {
  const text = textOf(file)
  return [...text.matchAll(/^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|\bimport\('([^']+)'\)/gm)].map(
    match => ({
      to: match[2] ?? match[3] ?? '',
      typeOnly: match[1] !== undefined,
    }),
  )
}

function textOf(file: string): string {
  return readFileSync(join(SRC, file), 'utf8')
}

function codeOf(file: string): string {
  return textOf(file)
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/ .*$/gm, '')
}

function ringOf(file: string): number {
  return RINGS.findIndex(({ holds }) => holds.test(file))
}

function target(from: string, to: string): string {
  return posix.normalize(posix.join(dirname(from), to)).replace(/\.js$/, '.ts')
}

const isOutside = (file: string): boolean =>
  RINGS[ringOf(file)]?.name === 'how' || RINGS[ringOf(file)]?.name === 'entry'

describe('rings', () => {
  test('every file is in one', () => {
    expect(files.filter(file => ringOf(file) === -1)).toEqual([])
    expect(files.length).toBeGreaterThan(30)
  })

  test.each(files)('%s imports inwards', file => {
    for (const { to } of importsOf(file)) {
      if (to.startsWith('.')) {
        expect(ringOf(target(file, to)), `${file} -> ${to}`).toBeLessThanOrEqual(ringOf(file))
      } else if (!isOutside(file)) {
        expect(PURE, `${file} -> ${to}`).toContain(to)
      }
    }
  })

  test.each(files.filter(file => file.startsWith('adapters/')))('%s imports no other adapter', file => {
    const own = file.split('/')[1]
    const foreign = importsOf(file)
      .map(({ to }) => (to.startsWith('.') ? target(file, to) : ''))
      .filter(to => to !== SHARED && to.startsWith('adapters/') && to.split('/')[1] !== own)
    expect(foreign).toEqual([])
  })

  test('roles do not import roles', () => {
    const role = (file: string): string | undefined => /^(issuer|wallet|verifier|registrar)\b/.exec(file)?.[1]
    for (const file of files.filter(one => role(one) !== undefined)) {
      const others = importsOf(file)
        .map(({ to }) => (to.startsWith('.') ? target(file, to) : ''))
        .filter(to => role(to) !== undefined && role(to) !== role(file))
      expect(others, file).toEqual([])
    }
  })
})

test('no cycle', () => {
  const graph = new Map(
    files.map(file => [
      file,
      importsOf(file)
        .filter(({ to, typeOnly }) => to.startsWith('.') && !typeOnly)
        .map(({ to }) => target(file, to)),
    ]),
  )
  const done = new Set<string>()
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) throw new Error(`cycle: ${[...path, file].join(' -> ')}`)
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) walk(next, [...path, file])
    done.add(file)
  }
  for (const file of files) walk(file, [])
})

describe('the world is reached through adapters only', () => {
  test.each(files.filter(file => !isOutside(file)))('%s', file => {
    const code = codeOf(file)
    expect(WORLD.filter(pattern => pattern.test(code)).map(String)).toEqual([])
  })

  test('only adapters/veramo imports @veramo/*', () => {
    const users = files.filter(file => importsOf(file).some(({ to }) => to.startsWith('@veramo/')))
    // the store names Veramo's tables, because all of them live in one DataSource
    expect(users.filter(file => !file.startsWith('adapters/veramo/'))).toEqual(
      users.filter(file => file.startsWith('adapters/store/')),
    )
  })
})

describe('frameworks that may not be installed', () => {
  const OPTIONAL = /^(express|hono|@hono\/|@modelcontextprotocol\/)/

  /** Every package that importing the file loads. */
  function loadedBy(file: string, seen = new Set<string>()): readonly string[] {
    if (seen.has(file)) return []
    seen.add(file)
    return importsOf(file)
      .filter(({ typeOnly }) => !typeOnly)
      .flatMap(({ to }) => (to.startsWith('.') ? loadedBy(target(file, to), seen) : [to]))
  }

  test('only the entry for MCP loads one: the others name their types', () => {
    const entries = files.filter(file => ringOf(file) === RINGS.length - 1)
    expect(entries.filter(file => loadedBy(file).some(to => OPTIONAL.test(to)))).toEqual(['entry/mcp.ts'])
    expect(loadedBy('entry/verifier.ts').length).toBeGreaterThan(5)
  })
})

describe('seals', () => {
  test('only jws/compact.ts makes a Verified from bytes', () => {
    const makers = files.filter(file => /\bas (unknown as )?Verified</.test(codeOf(file)))
    // openPresentation and openList give a verified value its shape; both take it from openJws
    expect(makers.sort()).toEqual(['jws/compact.ts', 'presentation/presentation.ts', 'status/list.ts'])
  })

  test('unverified claims are read for the frame of a presentation only', () => {
    const readers = files.filter(file => /\.unverified\b/.test(codeOf(file)))
    expect(readers.sort()).toEqual(['jws/compact.ts', 'presentation/presentation.ts'])
  })

  test('one catch turns refusals into values where it is decided, one at the commit point, and none elsewhere', () => {
    const catching = files.filter(file => file.startsWith('verifier/') && /catch \(thrown\)/.test(codeOf(file)))
    expect(catching.sort()).toEqual(['verifier/commit.ts', 'verifier/decide.ts'])
    for (const file of catching) expect(codeOf(file).match(/catch \(thrown\)/g)).toHaveLength(1)
  })
})

test('files are short', () => {
  const long = files.filter(file => file !== 'errors.ts' && textOf(file).split('\n').length > MAX_LINES)
  expect(long).toEqual([])
})

test.each(['express', 'fastify', 'hono'])('the guard for %s is thin: what is decided is decided once', framework => {
  const code = codeOf(`adapters/http/${framework}-guard.ts`).split('\n')
  expect(code.filter(line => !/^(\s*|import .*)$/.test(line)).length).toBeLessThanOrEqual(60)
})

test('nothing is called utils, helpers, common, types, services or managers', () => {
  const vague = files.filter(file => /\b(utils?|helpers?|common|types|services|managers?)\b/.test(relative('.', file)))
  expect(vague).toEqual([])
})
