import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { completionOf, SHELLS } from '../../src/adapters/cli/completion.js'
import { manualOf } from '../../src/adapters/cli/output.js'
import { createTerminal } from '../../src/adapters/cli/terminal.js'
import { createProgram } from '../../src/entry/program.js'
import { procura } from './run.js'

const ROOT = join(import.meta.dirname, '../..')
const program = createProgram({ terminal: createTerminal(process), environment: {}, exit: () => undefined })
const all: readonly (readonly [string, Command])[] = leaves(program, [])

function leaves(command: Command, path: readonly string[]): (readonly [string, Command])[] {
  if (command.commands.length === 0) return [[path.join(' '), command]]
  return command.commands.flatMap(one => leaves(one, [...path, one.name()]))
}

/** What prints no data of its own: it runs until it is stopped, or its output has a form that is another program's. */
const WITHOUT_OUTPUT = ['serve', 'audit export', 'completion']

describe('every command', () => {
  test.each(all)('%s says what it does, with an example that can be read', (path, command) => {
    const manual = manualOf(command)
    expect(command.description()).toMatch(/^[a-z].*[^.]$/)
    expect(manual?.example.startsWith(path)).toBe(true)
    const flags = manual?.example.match(/(?<= )--?[a-z][a-z-]*/g) ?? []
    const known = command.options.flatMap(({ short, long }) => [short, long])
    expect(flags.filter(flag => !known.includes(flag))).toEqual([])
    expect(command.options.filter(({ description }) => description === '')).toEqual([])
  })

  test('prints data as JSON too, and says in which form', () => {
    const silent = all.filter(([, command]) => manualOf(command)?.json === undefined).map(([path]) => path)
    expect(silent.toSorted()).toEqual(WITHOUT_OUTPUT.toSorted())
    for (const [path, command] of all) {
      const output = command.options.find(({ long }) => long === '--output')
      expect(output?.argChoices?.includes('json'), path).toBe(silent.includes(path) ? undefined : true)
    }
  })

  test('one letter means one option', () => {
    for (const [path, command] of all) {
      const short = command.options.flatMap(one => one.short ?? [])
      expect(new Set(short).size, path).toBe(short.length)
    }
  })

  test('help is on standard output, and ends with 0', async () => {
    const { code, stdout, stderr } = await procura(['grant', '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/Example:\n {2}procura grant --to/)
    expect(stdout).toContain('range:MIN..MAX')
    expect((await procura(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

test('docs/cli.md is what the commands say; node .ci/cli-reference.mjs --write brings it up to date', async () => {
  const page = readFileSync(join(ROOT, 'docs/cli.md'), 'utf8')
  const { withReference } = (await import(join(ROOT, '.ci/cli-reference.mjs'))) as {
    withReference: (page: string) => string
  }
  expect(page).toBe(withReference(page))
})

describe('completion', () => {
  /** What bash offers for a line that is typed as far as its last word. */
  function offered(...words: string[]): string[] {
    const line = words.map(word => `'${word}'`).join(' ')
    const script = `${completionOf(program, 'bash')}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _procura; echo "\${COMPREPLY[@]}"`
    const { status, stdout, stderr } = spawnSync('bash', ['--noprofile', '--norc'], { input: script, encoding: 'utf8' })
    expect([status, stderr]).toEqual([0, ''])
    return stdout.trim().split(' ')
  }

  test.each<[string[], string[]]>([
    [['procura', 'del'], ['delegate']],
    [
      ['procura', 'agent', 're'],
      ['resume', 'retire'],
    ],
    [['procura', 'agent', 'create', '--au'], ['--autonomy']],
    [
      ['procura', 'agent', 'create', 'planner', '--autonomy', ''],
      ['L0', 'L1', 'L2', 'L3', 'L4', 'L5'],
    ],
    [['procura', 'grant', '--resource', 'https://api.example/**', '--pu'], ['--purpose-file']],
    [['procura', 'completion', 'z'], ['zsh']],
  ])('bash offers for %j: %j', (words, found) => {
    expect(offered(...words)).toEqual(found)
  })

  test.each(SHELLS)('%s: a script that knows every command', async shell => {
    const { code, stdout } = await procura(['completion', shell])
    expect(code).toBe(0)
    for (const [path] of all) expect(stdout).toContain(`procura ${path}`)
  })

  test('of a shell that is not known there is none', async () => {
    expect((await procura(['completion', 'csh'])).code).toBe(64)
  })
})
