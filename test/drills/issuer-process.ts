import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** What one process told: a line is a list of words. */
export interface Told {
  readonly lines: readonly (readonly string[])[]
  readonly code: number | null
}

/** Starts a process of its own that issues and revokes in a folder. */
export function startIssuer(
  folder: string,
  words: readonly string[],
  storage?: string,
): { readonly child: ChildProcess; readonly told: Promise<Told> } {
  const program = join(import.meta.dirname, 'issuer-child.mjs')
  const env = { PATH: process.env['PATH'], ...(storage === undefined ? {} : { PROCURA_DRILL_STORAGE: storage }) }
  const child = spawn(process.execPath, [program, join(ROOT, 'dist'), folder, ...words], { env })
  let [text, errors] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const told = new Promise<Told>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code !== null && code !== 0) reject(new Error(errors))
      // what has no end of line was not told
      else resolve({ code, lines: text.split('\n').slice(0, -1).map(line => line.split(' ')) }) // prettier-ignore
    })
  })
  return { child, told }
}

/** The lines that begin with a word, without it. */
export function tellings({ lines }: Told, word: string): readonly (readonly string[])[] {
  return lines.filter(([first]) => first === word).map(([, ...rest]) => rest)
}
