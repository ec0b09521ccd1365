import { execFile } from 'node:child_process'
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'

const ROOT = join(import.meta.dirname, '..', '..')

/** What one process did: what it leased, and how many values it was the first to put in place. */
export interface Report {
  readonly leased: readonly string[]
  readonly won: number
}

/** Beside the sources: what makes tokens and a network for them. */
const HELPERS = ['test/mint.ts', 'test/table.ts']
/** What the programs do not load: a third of the time. */
const LEFT_OUT = /^(entry|adapters\/(audit|cli|client|http|veramo))\//

/** Translates the sources for a plain node process, without asking whether the whole tree compiles. @returns their folder */
export async function compileSources(folder: string): Promise<string> {
  const target = join(folder, 'compiled')
  await mkdir(target)
  await writeFile(join(target, 'package.json'), '{"type":"module"}')
  await symlink(join(ROOT, 'node_modules'), join(target, 'node_modules'))
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  const all = await readdir(join(ROOT, 'src'), { recursive: true })
  const sources = all.filter(name => name.endsWith('.ts') && !LEFT_OUT.test(name)).map(name => join('src', name))
  for (const file of [...sources, ...HELPERS]) {
    const { outputText } = ts.transpileModule(await readFile(join(ROOT, file), 'utf8'), { compilerOptions })
    const output = join(target, file.replace(/\.ts$/, '.js'))
    await mkdir(dirname(output), { recursive: true })
    await writeFile(output, outputText)
  }
  return target
}

/** Runs one process on a database file. Rejects if anything in it was refused. */
export async function runChild(compiled: string, file: string, name: string): Promise<Report> {
  const program = join(import.meta.dirname, 'store-child.mjs')
  const { stdout } = await promisify(execFile)(process.execPath, [program, compiled, file, name])
  return JSON.parse(stdout) as Report
}
