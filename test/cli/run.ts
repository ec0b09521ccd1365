import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import { createTerminal } from '../../src/adapters/cli/terminal.js'
import { runCommand } from '../../src/entry/program.js'

const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')

/** What a run of the command line left behind. */
export interface Transcript {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line in this process, where nobody is at a terminal: what takes a process seconds to load is loaded once. */
export async function procura(
  args: readonly string[],
  input = '',
  environment: Readonly<Record<string, string>> = {},
): Promise<Transcript> {
  const [stdout, stderr] = [gathering(), gathering()]
  const terminal = createTerminal({ stdin: Readable.from([Buffer.from(input)]), stdout, stderr, env: environment })
  const code = await runCommand(args, { environment, terminal })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

function gathering(): Writable & { text(): string } {
  const chunks: Buffer[] = []
  const write = (chunk: Buffer, _: unknown, done: () => void): void => {
    chunks.push(chunk)
    done()
  }
  return Object.assign(new Writable({ write }), { text: () => Buffer.concat(chunks).toString() })
}

/** Runs the built command line as its own process, without a terminal. */
export function procuraProcess(args: readonly string[], input = ''): Promise<Transcript> {
  return transcript(process.execPath, [CLI, ...args], child => child.end(input))
}

/** Runs it as its own process and signals it as soon as `isTime`. @returns its exit code, `null` if it was killed */
export async function killedWhen(
  args: readonly string[],
  isTime: () => boolean,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<number | null> {
  const child = spawn(process.execPath, [CLI, ...args], { env: { PATH: process.env['PATH'] }, stdio: 'ignore' })
  const ended = once(child, 'exit')
  while (child.exitCode === null && !isTime()) await new Promise(resolve => setImmediate(resolve))
  child.kill(signal)
  await ended
  return child.exitCode
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
