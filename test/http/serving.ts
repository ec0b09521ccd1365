import { spawn, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

const CLI = join(import.meta.dirname, '../../dist/entry/cli.js')

/** `procura serve` as users run it. */
export interface Serving {
  readonly main: ChildProcess
  readonly address: string
  /** what it said on standard output */
  readonly said: string
  /** what it said on standard error so far */
  told(): string
  /** its workers that live */
  workers(): Promise<readonly number[]>
}

/** Starts it; nothing but `environment` is in its environment. */
export async function serve(config: string, environment: Readonly<Record<string, string>> = {}): Promise<Serving> {
  const env = { PATH: process.env['PATH'], ...environment }
  const main = spawn(process.execPath, [CLI, 'serve', '--config', config], { env })
  let told = ''
  main.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()))
  const said = await new Promise<string>((resolve, reject) => {
    let text = ''
    main.stdout.on('data', (chunk: Buffer) => {
      if ((text += chunk.toString()).includes('try next')) resolve(text)
    })
    main.once('exit', code => reject(new Error(`it ended with ${code ?? 'a signal'}: ${told}`)))
  })
  const [, address = ''] = /listens on (\S+)/.exec(said) ?? []
  return { main, address, said, told: () => told, workers: () => childrenOf(main.pid ?? 0) }
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.trim().split(' ').filter(Boolean).map(Number)
}

/** Whether a process is there. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
