import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { terminal } from '../../src/adapters/cli/terminal.js'
import { ProcuraError } from '../../src/errors.js'
import { runCommand } from '../../src/entry/program.js'

const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')

/** What a run of the command line left behind. */
export interface Transcript {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line in this process, where nobody is at a terminal: what takes a process seconds to load is loaded once. */
export async function procura(args: readonly string[], input = ''): Promise<Transcript> {
  let [stdout, stderr] = ['', '']
  const code = await runCommand(args, {
    environment: {},
    terminal: {
      read: async (file, max) => {
        if (file !== '-') return terminal.read(file, max)
        const bytes = Buffer.from(input)
        if (bytes.length > max) throw new ProcuraError('INPUT_TOO_LARGE', { what: file, size: bytes.length, max })
        return bytes
      },
      print: line => void (stdout += `${line}\n`),
      tell: lines => void (stderr += `${lines}\n`),
      ask: () => Promise.resolve(null),
    },
  })
  return { code, stdout, stderr }
}

/** Runs the built command line as its own process, without a terminal. */
export function procuraProcess(args: readonly string[], input = ''): Promise<Transcript> {
  return transcript(process.execPath, [CLI, ...args], child => child.end(input))
}

/** Runs it as its own process and kills it as soon as `isTime`. */
export async function killedWhen(args: readonly string[], isTime: () => boolean): Promise<void> {
  const child = spawn(process.execPath, [CLI, ...args], { env: { PATH: process.env['PATH'] }, stdio: 'ignore' })
  const ended = once(child, 'exit')
  while (child.exitCode === null && !isTime()) await new Promise(resolve => setImmediate(resolve))
  child.kill('SIGKILL')
  await ended
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
