import { readFileSync, writeFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { afterAll, describe, expect, test } from 'vitest'
import { runVectors } from '../src/adapters/cli/vectors.js'
import { memoryLedger, memoryVersions } from '../src/adapters/state/memory.js'
import { systemClock, systemIds } from '../src/adapters/system.js'
import type { Json } from '../src/json.js'
import { createVerifier as original } from '../src/verifier/verifier.js'
import { ATTACKS } from './e2e/attacks.js'
import { TAKEN_BACK } from './e2e/attacks-taken-back.js'
import { RISK } from './e2e/attacks-risk.js'
import { WHO } from './e2e/attacks-who.js'
import { deciderOf } from './e2e/attempt.js'
import { mistold } from './verifier/explained.js'

/**
 * Removes each statement of `decide` in turn and runs the vectors and the table of attacks against what is left.
 * A line that can go without a test noticing is a check that nothing holds in place.
 */
const FILE = join(import.meta.dirname, '../src/verifier/decide.ts')
const VERIFIER = join(import.meta.dirname, '../src/verifier/verifier.ts')
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

/** The verifier over a `decide` that lacks a line. */
async function without(start: number, end: number, name: string): Promise<typeof original> {
  const here = (text: string): string =>
    text.replace(/from '(\.[^']+)\.js'/g, (_, path: string) => `from '${join(FILE, '..', path)}.ts'`)
  mkdirSync(FOLDER, { recursive: true })
  const [decide, verifier] = [join(FOLDER, `${name}.ts`), join(FOLDER, `${name}-verifier.ts`)]
  writeFileSync(decide, here(`${source.slice(0, start)}/* removed */${source.slice(end)}`))
  writeFileSync(verifier, here(readFileSync(VERIFIER, 'utf8')).replaceAll(`'${FILE}'`, `'${decide}'`))
  return ((await import(verifier)) as { createVerifier: typeof original }).createVerifier
}

/** Lines that tell how far it came: what they tell is what an explanation says. */
const TELLS = /^known\.(?:step|presented) = /

/** What fails over this verifier: the first attack that does, or the vectors where no attack noticed. */
async function died(createVerifier: typeof original): Promise<string[]> {
  for (const [name, expected, attempt] of [...ATTACKS, ...TAKEN_BACK, ...WHO, ...RISK]) {
    const got = await attempt(deciderOf(createVerifier)).catch((error: unknown) => `threw ${String(error)}`)
    if (got !== expected) return [`${name}: expected ${expected}, got ${got}`]
  }
  const stores = () => ({ ledger: memoryLedger(systemClock, { budgets: true }), listVersions: memoryVersions() })
  return [...(await runVectors(vectors, { createVerifier, ids: systemIds, stores }, 'vectors')).misses]
}

const lines = checkLines()

describe('every line of decide is held by a test', () => {
  test('the whole of it passes, and it is the protocol', async () => {
    expect(await died(original)).toEqual([])
    expect(await mistold(original)).toEqual([])
    expect(lines.length).toBeGreaterThanOrEqual(17)
  })

  test.each(lines.map((line, index) => [line.text.split('\n')[0] ?? '', index] as const))(
    'without «%s»',
    async (_text, index) => {
      const { start, end } = lines[index]!
      const verifier = await without(start, end, `line-${index}`)
      const untold = TELLS.test(lines[index]!.text) ? await mistold(verifier) : []
      const dead = untold.length > 0 ? untold : await died(verifier)
      expect(dead).not.toEqual([])
      console.log(`without «${lines[index]!.text.split('\n')[0]}» ${dead[0]}`)
    },
  )
})
