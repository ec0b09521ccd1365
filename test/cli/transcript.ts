import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openService } from '../../src/entry/service.js'
import { procura, type Transcript } from './run.js'

/**
 * Plays a transcript in a temporary folder. A transcript is lines:
 *
 * ```text
 * # a comment
 * [NAME] a line of the variant NAME only
 * === FILE        the lines up to the next === are written to a file of the folder
 * === NAME=text   a variable, from here on; PORT is a free port, PACKAGE this package's folder
 * & procura serve runs until the transcript ends
 * $ procura …     a command that ends with 0
 * ! 77 procura …  one that ends with 77
 * ```
 *
 * Words of commands may be 'quoted' or $'written with \n and \u001b'; `$NAME` stands for a variable; `| procura …`, `< FILE`
 * and `> FILE` are as in a shell. What follows is what the command writes, standard error behind `2> `: `…` is anything
 * within a line but quotes, `{…}` any JSON object and `[…]` any list, a line `…` any number of lines, empty ones do not count, and `<NAME>` a word that is kept as a variable; where NAME has a
 * value, exactly that.
 */
export async function play(path: string, variant = ''): Promise<void> {
  const home = process.cwd()
  const folder = await mkdtemp(join(tmpdir(), 'procura-cli-'))
  const variables = new Map([
    ['PORT', String(await freePort())],
    ['PACKAGE', join(import.meta.dirname, '../..')],
  ])
  const running: (() => Promise<unknown>)[] = []
  const environment: Record<string, string> = {}
  process.chdir(folder)
  try {
    for (const { line, number, body } of stepsOf(await readFile(path, 'utf8'), variant)) {
      const at = `${path}:${number} ${line}`
      const [, name, text = ''] = /^=== (\w+)=(.*)$/.exec(line) ?? []
      if (name !== undefined) {
        variables.set(name, text)
        if (name.startsWith('PROCURA_')) environment[name] = text
      } else if (line.startsWith('=== ')) await writeFile(line.slice(4), body.map(one => `${one}\n`).join(''))
      else if (line.startsWith('& ')) {
        const service = await openService({ config: 'agent.yml', environment })
        running.push(() => service.close())
      } else {
        const [, exit = '0', command = ''] = /^(?:\$|! (\d+)) (.*)$/.exec(line) ?? []
        const { code, stdout, stderr } = await runAll(command, variables, environment)
        const written = `${stdout}${stderr.replace(/^(?=[^])/gm, '2> ')}`.replace(/(?<=\n)2> $/, '')
        matchOutput(written, body, variables, at)
        expect(code, `${at}\n${written}`).toBe(Number(exit))
      }
    }
  } finally {
    for (const close of running) await close()
    process.chdir(home)
    await rm(folder, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

interface Step {
  readonly line: string
  readonly number: number
  readonly body: readonly string[]
}

function stepsOf(text: string, variant: string): readonly Step[] {
  const steps: (Step & { body: string[] })[] = []
  let isFile = false
  for (const [index, raw] of text.split('\n').entries()) {
    const [, only, line = ''] = /^(?:\[([a-z]+)\] )?(.*)$/.exec(raw) ?? []
    if (only !== undefined && only !== variant) continue
    if (isFile && line !== '===') steps.at(-1)?.body.push(line)
    else if (line === '===') isFile = false
    else if (/^(\$|! \d+|&|===) /.test(line)) {
      steps.push({ line, number: index + 1, body: [] })
      isFile = /^=== [^=]+$/.test(line)
    } else if (line !== '' && !line.startsWith('# ')) steps.at(-1)?.body.push(line)
  }
  return steps
}

/** A command line with its pipes: what one writes, the next reads. */
async function runAll(
  line: string,
  variables: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string>>,
): Promise<Transcript> {
  let last: Transcript = { code: 0, stdout: '', stderr: '' }
  for (const part of line.split(' | ')) {
    const words = wordsOf(part, variables)
    const [from, to] = [redirect(words, '<'), redirect(words, '>')]
    const input = from === undefined ? last.stdout : await readFile(from, 'utf8')
    if (words[0] === 'cat') last = { code: 0, stdout: await readFile(words[1] ?? '', 'utf8'), stderr: '' }
    else last = await procura(words.slice(1), input, environment)
    if (to !== undefined) {
      await writeFile(to, last.stdout)
      last = { ...last, stdout: '' }
    }
  }
  return last
}

function redirect(words: string[], sign: string): string | undefined {
  const at = words.indexOf(sign)
  return at === -1 ? undefined : words.splice(at, 2)[1]
}

function wordsOf(line: string, variables: ReadonlyMap<string, string>): string[] {
  const words = line.match(/\$'[^']*'|(?:'[^']*'|[^\s'])+/g) ?? []
  return words.flatMap(word => {
    if (word.startsWith("$'")) return JSON.parse(`"${word.slice(2, -1)}"`) as string
    const value = word.replace(/'([^']*)'|\$(\w+)/g, (_, quoted: string | undefined, name: string) => {
      if (quoted !== undefined) return quoted
      const found = variables.get(name)
      if (found === undefined) throw new Error(`no variable ${name}`)
      return found
    })
    // a variable may be several options, or none
    return /^\$\w+$/.test(word) ? value.split(' ').filter(one => one !== '') : value
  })
}

/** Compares line by line, so that what differs can be read; keeps what the pattern names. */
function matchOutput(written: string, expected: readonly string[], variables: Map<string, string>, at: string): void {
  const lines = written.split('\n').filter(line => line !== '')
  let next = 0
  for (const [index, pattern] of expected.entries()) {
    if (pattern.trim() === '…') {
      const after = expected[index + 1]
      while (next < lines.length && (after === undefined || !isLike(lines[next] ?? '', after, variables))) next += 1
    } else {
      const line = lines[next] ?? ''
      if (!isLike(line, pattern, variables)) expect(written, at).toBe(`${expected.join('\n')}\n`)
      next += 1
    }
  }
  if (next < lines.length) expect(written, at).toBe(`${expected.join('\n')}\n`)
}

function isLike(line: string, pattern: string, variables: Map<string, string>): boolean {
  const names: string[] = []
  const source = pattern.replace(
    /<([A-Z][A-Z0-9_]*)>|\{…\}|\[…\]|…|[.*+?^${}()|[\]\\]/g,
    (found, name: string | undefined) => {
      if (found === '{…}') return '\\{.*\\}'
      if (found === '[…]') return '\\[.*\\]'
      if (found === '…') return '[^"]*?'
      if (name === undefined) return `\\${found}`
      const known = variables.get(name)
      if (known !== undefined) return known.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      names.push(name)
      return '([^\\s",()]+)'
    },
  )
  const match = new RegExp(`^${source}$`).exec(line)
  if (match === null) return false
  for (const [n, name] of names.entries()) variables.set(name, match[n + 1] ?? '')
  return true
}
