import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { visible } from '../../encoding.js'
import { ProcuraError } from '../../errors.js'

/** Where a command reads, prints and asks. What it writes is safe to show: see {@link visible}. */
export interface Terminal {
  /** The bytes of a file; `-` is standard input. @throws NOT_FOUND - it cannot be read; INPUT_TOO_LARGE */
  read(file: string, maxBytes: number): Promise<Uint8Array>
  /** Writes lines for programs: standard output. */
  print(lines: string): void
  /** Writes lines for people: standard error. */
  tell(lines: string): void
  /** True for a yes, false for anything else; `null` if nobody can read the question and answer it. */
  ask(question: string): Promise<boolean | null>
}

/** What a terminal stands on: the streams of a process, or of a test. */
export interface Streams {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean; readonly readableEnded?: boolean }
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A terminal over streams. Colours only where a stream is a terminal and `NO_COLOR` is not set. */
export function createTerminal({ stdin, stdout, stderr, env }: Streams): Terminal {
  const write = (stream: Streams['stdout'], lines: string): void => {
    const shown = visible(lines)
    const isColoured = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
    stream.write(`${isColoured ? coloured(shown) : shown}\n`)
  }
  return {
    async read(file, maxBytes) {
      const chunks: Uint8Array[] = []
      let size = 0
      try {
        for await (const chunk of file === '-' ? stdin : createReadStream(file)) {
          const bytes = Buffer.from(chunk as Uint8Array | string)
          size += bytes.length
          if (size > maxBytes) throw new ProcuraError('INPUT_TOO_LARGE', { what: file, size, max: maxBytes })
          chunks.push(bytes)
        }
      } catch (cause) {
        if (!(cause instanceof Error && 'syscall' in cause && 'code' in cause)) throw cause
        throw new ProcuraError('NOT_FOUND', { what: `readable file ${file} (${String(cause.code)})` }, { cause })
      }
      return Buffer.concat(chunks)
    },
    print: lines => {
      write(stdout, lines)
    },
    tell: lines => {
      write(stderr, lines)
    },
    async ask(question) {
      if (stdin.isTTY !== true || stderr.isTTY !== true || stdin.readableEnded === true) return null
      const lines = createInterface({ input: stdin, output: stderr })
      const answer = await new Promise<string>(resolve => {
        lines.question(`${visible(question)} [y/N] `, resolve)
        // the end of the input, or Ctrl-C, is an answer too; it leaves the cursor in the line
        lines.once('close', () => {
          resolve('\n')
        })
      })
      lines.close()
      if (answer === '\n') stderr.write(answer)
      return /^y(es)?$/i.test(answer.trim())
    },
  }
}

/** The terminal that this process was started in. */
export const terminal: Terminal = createTerminal(process)

const MARKS: readonly (readonly [RegExp, number])[] = [
  [/^([ │├└─]*)(✓)/gmu, 32],
  [/^([ │├└─]*)(✗)/gmu, 31],
  [/^()(warning:)/gm, 33],
]

/** Marks in colour; the marks themselves say the same without. */
function coloured(text: string): string {
  return MARKS.reduce((all, [mark, colour]) => all.replace(mark, `$1\u001b[${colour}m$2\u001b[39m`), text)
}
