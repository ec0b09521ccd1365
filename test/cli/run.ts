import { spawn } from 'node:child_process'
import { join } from 'node:path'

const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')

/** What a run of the command line left behind. */
export interface Transcript {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built command line as its own process, without a terminal. */
export function procura(args: readonly string[], input = ''): Promise<Transcript> {
  return transcript(process.execPath, [CLI, ...args], child => child.end(input))
}

/**
 * Runs it on a terminal of its own; what is shown there is the transcript's `stdout`.
 *
 * @param redirect - as a shell writes it: `> file`
 * @param keys - typed as soon as the terminal shows `prompt`
 */
export function procuraAtTerminal(
  args: readonly string[],
  redirect: string,
  keys: string,
  prompt = '[y/N] ',
): Promise<Transcript> {
  const command = [process.execPath, CLI, ...args].map(word => `'${word}'`).join(' ')
  let screen: string | null = ''
  return transcript('script', ['-qefc', `${command} ${redirect}`, '/dev/null'], (keyboard, shown) => {
    if (screen === null) return
    screen += shown
    if (!screen.includes(prompt)) return
    keyboard.write(keys)
    screen = null
  })
}

function transcript(
  program: string,
  args: readonly string[],
  type: (keyboard: NodeJS.WritableStream, shown: string) => void,
): Promise<Transcript> {
  const child = spawn(program, args, { env: { PATH: process.env['PATH'] } })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
    type(child.stdin, chunk.toString())
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  // who does not read its input closes it
  child.stdin.on('error', () => undefined)
  type(child.stdin, '')
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => resolve({ code, stdout, stderr }))
  })
}
