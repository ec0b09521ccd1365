import { PassThrough, Readable, Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { createTerminal, type Terminal } from '../../src/adapters/cli/terminal.js'
import { visible } from '../../src/encoding.js'

function shownBy(write: (terminal: Terminal) => void, isTTY: boolean, env: Record<string, string> = {}): string {
  let shown = ''
  const take = (chunk: Buffer, _: unknown, done: () => void): void => {
    shown += chunk.toString()
    done()
  }
  const stream = Object.assign(new Writable({ write: take }), { isTTY })
  write(createTerminal({ stdin: Readable.from([]), stdout: stream, stderr: stream, env }))
  return shown
}
const print = (lines: string) => (terminal: Terminal) => {
  terminal.print(lines)
}

test('what a terminal would obey is written as its number, and means the same in JSON', () => {
  const value = { name: 'al\u001b[31mice\u202e\u2028\u200d\u{e0041}\u0085', 'é ✓': ['ü\n'] }
  const shown = shownBy(print(JSON.stringify(value)), true)
  expect(shown).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]*\n$/u)
  expect(JSON.parse(shown)).toEqual(value)
  expect(visible('one\ntwo\r\tthree')).toBe('one\ntwo\\u000d\\u0009three')
})

test('marks are coloured on a terminal only, and say the same without', () => {
  const lines = '✓ allowed\n   └─ ✗ 1 uEi\nnot ✓ this\nwarning: broad'
  const coloured = shownBy(print(lines), true)
  expect(coloured).toBe(
    '\u001b[32m✓\u001b[39m allowed\n   └─ \u001b[31m✗\u001b[39m 1 uEi\nnot ✓ this\n\u001b[33mwarning:\u001b[39m broad\n',
  )
  for (const [isTTY, env] of [
    [false, {}],
    [true, { NO_COLOR: '1' }],
    [true, { TERM: 'dumb' }],
  ] as const)
    // prettier-ignore
    expect(shownBy(print(lines), isTTY, env)).toBe(`${lines}\n`)
})

test('a file is not read beyond what is allowed, and standard input neither', async () => {
  let given = 0
  const endless = new Readable({
    read() {
      given += 65_536
      this.push(Buffer.alloc(65_536))
    },
  })
  const terminal = createTerminal({ stdin: endless, stdout: new PassThrough(), stderr: new PassThrough(), env: {} })
  await expect(terminal.read('-', 100_000)).rejects.toMatchObject({ code: 'INPUT_TOO_LARGE' })
  await expect(terminal.read('/dev/zero', 100_000)).rejects.toMatchObject({ code: 'INPUT_TOO_LARGE' })
  expect(given).toBeLessThan(1_000_000)
})
