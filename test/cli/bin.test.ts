import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POLICY } from '../http/home.js'

/** The built program as a shell would start it. */
const BIN = join(import.meta.dirname, '../../dist/entry/cli.js')

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'procura-bin-'))
  writeFileSync(join(folder, 'huge'), '')
  writeFileSync(join(folder, 'policy.json'), JSON.stringify(POLICY))
  truncateSync(join(folder, 'huge'), 2 ** 30)
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

const run = (args: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(BIN, args, { cwd: folder, encoding: 'utf8', env: { PATH: process.env['PATH'] ?? '', ...env }, input: '' })

test('is a program of its own', () => {
  expect(run(['--version'])).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string })
  const refused = run(['agent', 'list', '-o', 'json'])
  expect([refused.status, refused.stdout]).toEqual([78, ''])
  expect(JSON.parse(refused.stderr)).toMatchObject({ code: 'CONFIG_INVALID', exit: 78 })
})

test('help loads none of what commands work with', () => {
  const { status, stderr } = run(['--help'], { NODE_DEBUG: 'esm' })
  expect(status).toBe(0)
  expect(stderr).toContain('/node_modules/commander/')
  expect(stderr).not.toMatch(/node_modules\/(typeorm|@veramo|zod|fastify|undici|pg)\//)
})

test('goes on where nobody reads any more', async () => {
  const child = spawn(BIN, ['--help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  let told = ''
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()))
  const code = await new Promise(resolve => child.once('close', resolve))
  expect([code, told]).toEqual([0, ''])
})

describe('a file of 1 GB', () => {
  const grant = [
    'grant',
    '--to',
    'did:web:a.example',
    '--ttl',
    '5m',
    '--service',
    'https://x.example',
    '--wallet',
    'sqlite://w.db',
  ]
  test.each<[string, string[], number]>([
    ['as a token', ['explain', 'huge', '--policy', 'policy.json'], 65],
    ['as a policy', ['explain', 'a.b.c', '--policy', 'huge'], 78],
    ['as an approval request', ['approve', 'huge', '--wallet', 'sqlite://w.db', '--as', 'a'], 65],
    ['as an agent file', ['agent', 'list', '--config', 'huge'], 78],
    ['as a grant', [...grant, '--file', 'huge'], 78],
    ['as a mission', [...grant, '--purpose-file', 'huge', '--resource', 'https://x.example/a', '--action', 'b'], 65],
  ])('%s is refused without reading it', (_, args, status) => {
    // what is read whole would not fit
    const refused = run(args, { NODE_OPTIONS: '--max-old-space-size=128' })
    expect([refused.status, refused.stdout]).toEqual([status, ''])
    expect(refused.stderr).toMatch(/^procura: [A-Z_]+: .*\n$/)
  })
})
