import { execFile } from 'node:child_process'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'

const ROOT = join(import.meta.dirname, '..', '..')

/** What one process did: what it leased, and how many values it was the first to put in place. */
export interface Report {
  readonly leased: readonly string[]
  readonly won: number
}

/** Beside what was built: what makes tokens and a network. */
const HELPERS = ['test/mint.ts', 'test/table.ts']

/** Puts what was built and the helpers where a plain node process finds them. @returns their folder */
export async function compileSources(folder: string): Promise<string> {
  const target = join(folder, 'compiled')
  await mkdir(target)
  await writeFile(join(target, 'package.json'), '{"type":"module"}')
  for (const [from, to] of [
    ['node_modules', 'node_modules'],
    ['dist', 'src'],
  ] as const) {
    await symlink(join(ROOT, from), join(target, to))
  }
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  for (const file of HELPERS) {
    const { outputText } = ts.transpileModule(await readFile(join(ROOT, file), 'utf8'), { compilerOptions })
    const output = join(target, file.replace(/\.ts$/, '.js'))
    await mkdir(dirname(output), { recursive: true })
    await writeFile(output, outputText)
  }
  return target
}

/** Runs one process on a database. Rejects if anything in it was refused. */
export async function runChild(compiled: string, url: string, name: string): Promise<Report> {
  const program = join(import.meta.dirname, 'store-child.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [program, compiled, url, name])
  return JSON.parse(stdout) as Report
}
