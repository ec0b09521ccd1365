import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { ProcuraError } from '../../errors.js'

/** Where a command reads, prints and asks. */
export interface Terminal {
  /** The bytes of a file; `-` is standard input. @throws NOT_FOUND - it cannot be read; INPUT_TOO_LARGE */
  read(file: string, maxBytes: number): Promise<Uint8Array>
  /** Writes a line for programs: standard output. */
  print(line: string): void
  /** Writes lines for people: standard error. */
  tell(lines: string): void
  /** True for a yes, false for anything else; `null` if nobody can read the question and answer it. */
  ask(question: string): Promise<boolean | null>
}

/** The terminal that this process was started in. */
export const terminal: Terminal = {
  async read(file, maxBytes) {
    const chunks: Uint8Array[] = []
    let size = 0
    try {
      for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
        size += (chunk as Uint8Array).length
        if (size > maxBytes) throw new ProcuraError('INPUT_TOO_LARGE', { what: file, size, max: maxBytes })
        chunks.push(chunk as Uint8Array)
      }
    } catch (cause) {
      if (!(cause instanceof Error && 'syscall' in cause && 'code' in cause)) throw cause
      throw new ProcuraError('NOT_FOUND', { what: `readable file ${file} (${String(cause.code)})` }, { cause })
    }
    return Buffer.concat(chunks)
  },
  print: line => void process.stdout.write(`${line}\n`),
  tell: lines => void process.stderr.write(`${lines}\n`),
  async ask(question) {
    const { stdin: input, stderr: output } = process
    if (!input.isTTY || !output.isTTY || input.readableEnded) return null
    const lines = createInterface({ input, output })
    const answer = await new Promise<string>(resolve => {
      lines.question(`${question} [y/N] `, resolve)
      // the end of the input, or Ctrl-C, is an answer too; it leaves the cursor in the line
      lines.once('close', () => resolve('\n'))
    })
    lines.close()
    if (answer === '\n') output.write(answer)
    return /^y(es)?$/i.test(answer.trim())
  },
}
