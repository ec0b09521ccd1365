import { readFileSync, writeFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, describe, expect, test } from 'vitest'
import { runVectors } from '../src/adapters/cli/vectors.js'
import { memoryLedger, memoryVersions } from '../src/adapters/state/memory.js'
import { systemClock, systemIds } from '../src/adapters/system.js'
import type { Json } from '../src/json.js'
import { decide as original } from '../src/verifier/verifier.js'
import { ATTACKS } from './e2e/attacks.js'

/**
 * Removes each statement of `decide` in turn and runs the vectors and the table of attacks against what is left.
 * A line that can go without a test noticing is a check that nothing holds in place.
 */
const FILE = join(import.meta.dirname, '../src/verifier/verifier.ts')
const FOLDER = join(import.meta.dirname, '../data/var/decide-lines')
const source = readFileSync(FILE, 'utf8')
const vectors = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/procura/decisions.json'), 'utf8')) as Json

afterAll(() => rmSync(FOLDER, { recursive: true, force: true }))

/** The statements of the try block: profile §6, line by line. */
function checkLines(): { readonly text: string; readonly start: number; readonly end: number }[] {
  const file = ts.createSourceFile(FILE, source, ts.ScriptTarget.ES2022, true)
  const lines: { text: string; start: number; end: number }[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionDeclaration(node) && node.name?.text === 'decide') {
      const block = node.body?.statements.find(ts.isTryStatement)?.tryBlock
      for (const one of block?.statements ?? []) {
        if (!ts.isReturnStatement(one)) lines.push({ text: one.getText(), start: one.getStart(), end: one.getEnd() })
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return lines
}

async function without(start: number, end: number, name: string): Promise<typeof original> {
  const rest = `${source.slice(0, start)}/* removed */${source.slice(end)}`
  const here = rest.replace(/from '(\.[^']+)\.js'/g, (_, path: string) => `from '${join(FILE, '..', path)}.ts'`)
  mkdirSync(FOLDER, { recursive: true })
  const file = join(FOLDER, `${name}.ts`)
  writeFileSync(file, here)
  return ((await import(file)) as { decide: typeof original }).decide
}

async function died(decide: typeof original): Promise<string[]> {
  const stores = () => ({ ledger: memoryLedger(systemClock, { budgets: true }), listVersions: memoryVersions() })
  const { misses } = await runVectors(vectors, { decide, ids: systemIds, stores }, 'vectors')
  const failed = await Promise.all(
    ATTACKS.map(async ([name, expected, attempt]) => {
      const got = await attempt(decide).catch((error: unknown) => `threw ${String(error)}`)
      return got === expected ? [] : [`${name}: expected ${expected}, got ${got}`]
    }),
  )
  return [...failed.flat(), ...misses]
}

const lines = checkLines()

describe('every line of decide is held by a test', () => {
  test('the whole of it passes, and it is the protocol', async () => {
    expect(await died(original)).toEqual([])
    expect(lines.length).toBeGreaterThanOrEqual(17)
  })

  test.each(lines.map((line, index) => [line.text.split('\n')[0] ?? '', index] as const))(
    'without «%s»',
    async (_text, index) => {
      const { start, end } = lines[index]!
      const dead = await died(await without(start, end, `line-${index}`))
      expect(dead).not.toEqual([])
      console.log(`without «${lines[index]!.text.split('\n')[0]}» ${dead.length} tests die, first: ${dead[0]}`)
    },
  )
})
