import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** Documentation that can be checked by a program is. */
const ROOT = join(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const README = read('README.md')
const PAGES = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'bench/README.md',
  'data/README.md',
  'examples/README.md',
].concat(readdirSync(join(ROOT, 'docs')).map(name => `docs/${name}`))

describe('README', () => {
  test.each(['issuer', 'resource-server', 'express-server', 'mcp-server', 'wallet'])(
    'shows examples/%s.js as it is',
    name => {
      const path = `examples/${name}.js`
      const program = read(path)
      const region = /^\/\/ #region readme\n(.*)^\/\/ #endregion$/ms.exec(program)?.[1]
      const shown = new RegExp(`<!-- ${path} -->\n\`\`\`js\n(.*?)\`\`\``, 's').exec(README)?.[1]
      expect(shown).toBe(region)
      expect(program.trim().split('\n').length).toBeLessThanOrEqual(40)
    },
  )

  test('lists the refusals of src/errors.ts; `npm run errors` brings it up to date', async () => {
    const table = (await import(join(ROOT, '.ci/error-table.mjs'))) as { withTable: (readme: string) => string }
    expect(README).toBe(table.withTable(README))
  })

  test('names scripts that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = PAGES.flatMap(page =>
      [...read(page).matchAll(/\bnpm (?:run (?:-s )?)?([a-z-]+)/g)].map(([, name]) => name ?? ''),
    )
    const known = [...Object.keys(scripts), 'ci']
    expect(named.filter(name => !known.includes(name))).toEqual([])
  })
})

describe.each(PAGES)('%s', page => {
  const text = read(page)

  test('every link leads to a file, and to a heading if it names one', () => {
    const links = [...text.matchAll(/\]\((?!https?:|mailto:)([^)\s#]*)(?:#([^)\s]+))?\)/g)]
    const broken = links.filter(([, path = '', heading]) => {
      const target = path === '' ? page : join(dirname(page), path)
      return !existsSync(join(ROOT, target)) || (heading !== undefined && !headings(read(target)).includes(heading))
    })
    expect(broken.map(([link]) => link)).toEqual([])
  })

  test('every path of the repository that it names is there', () => {
    const paths = [...text.matchAll(/`((?:src|test|examples|docs|data|bench|\.ci)\/[\w./*-]*?\w)`/g)].map(
      ([, path = '']) => path,
    )
    const run = /^data\/var\//
    expect(paths.filter(path => !run.test(path) && !path.includes('*') && !existsSync(join(ROOT, path)))).toEqual([])
  })
})

test('every code that a page names is in the table', async () => {
  const { ERRORS } = (await import('../src/errors.js')) as { ERRORS: Record<string, unknown> }
  const known = (code: string): boolean => Object.hasOwn(ERRORS, code)
  const nouns = new Set(Object.keys(ERRORS).map(code => code.split('_')[0] ?? ''))
  const named = PAGES.flatMap(page => [...read(page).matchAll(/`([A-Z]+_[A-Z_]*[A-Z])`/g)].map(([, code = '']) => code))
  expect([...new Set(named)].filter(code => nouns.has(code.split('_')[0] ?? '') && !known(code))).toEqual([])
})

test('data files are the ones whose origin is stated', () => {
  const rows = [...read('data/README.md').matchAll(/^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$/gm)]
  const stated = rows.map(([, path = '', sha256 = '']) => [path, sha256])
  const found = ['contexts', 'policies', 'schemas']
    .filter(folder => existsSync(join(ROOT, 'data', folder)))
    .flatMap(folder => readdirSync(join(ROOT, 'data', folder)).map(name => `${folder}/${name}`))
  expect(stated).toEqual(found.map(path => [path, sha256Of(join(ROOT, 'data', path))]))
})

function headings(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function sha256Of(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
