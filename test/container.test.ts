import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { validate } from 'dockerfile-utils'
import { expect, test } from 'vitest'
import { parse } from 'yaml'

const ROOT = join(import.meta.dirname, '..')
const text = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const { scripts } = JSON.parse(text('package.json')) as { readonly scripts: Readonly<Record<string, string>> }

/** Instructions, with lines that go on joined. */
const steps = text('Dockerfile')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter(line => /^[A-Z]/.test(line))
const argumentsOf = (instruction: string): readonly string[][] =>
  steps
    .filter(step => step.startsWith(`${instruction} `))
    .map(step => JSON.parse(/\[.*\]$/.exec(step)?.[0] ?? '[]') as string[])

test('the Dockerfile has no fault that a linter knows', () => {
  expect(validate(text('Dockerfile'))).toEqual([])
})

test('it builds and starts as the scripts do, as somebody without rights', () => {
  const run = steps.filter(step => step.startsWith('RUN npm run ')).map(step => step.slice('RUN npm run '.length))
  expect(run).toEqual(['build'])
  expect(Object.keys(scripts)).toContain('build')
  const [command = []] = argumentsOf('CMD')
  expect(`exec ${command.join(' ')}`).toBe(scripts['start'])
  expect(steps.findLast(step => step.startsWith('USER '))).toBe('USER node')
  const isAfter = (first: string, second: string): boolean =>
    steps.findIndex(step => step.startsWith(second)) > steps.findLastIndex(step => step.startsWith(first))
  expect(isAfter('USER', 'CMD')).toBe(true)
})

test('what it copies is there, and not left out', () => {
  const ignored = text('.dockerignore').split('\n')
  const copied = steps.filter(step => /^COPY (?!--from)/.test(step)).flatMap(step => step.split(' ').slice(1, -1))
  for (const path of copied) {
    expect(existsSync(join(ROOT, path)), path).toBe(true)
    expect(ignored).toContain(`!${path}`)
  }
})

test('its health check tells a service that is ready from one that is not, and from none', async () => {
  const [[program = '', flag = '', script = ''] = []] = argumentsOf('HEALTHCHECK')
  let status = 200
  const server = createServer((_, response) => response.writeHead(status).end()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const check = async (at: number): Promise<unknown> => {
    const child = spawn(program, [flag, script.replace(':8080', `:${at}`)])
    const [code] = (await once(child, 'exit')) as [number]
    return code
  }
  expect(await check(port)).toBe(0)
  status = 503
  expect(await check(port)).toBe(1)
  server.close()
  await once(server, 'close')
  expect(await check(port)).toBe(1)
})

interface Compose {
  readonly services: Readonly<Record<string, { readonly environment?: Readonly<Record<string, string>> }>>
  readonly volumes: Readonly<Record<string, unknown>>
}

test('the compose files set only what the configuration knows', () => {
  const override = { tag: '!override', collection: 'seq', resolve: (value: unknown) => value } as never
  const config = text('src/entry/config.ts')
  for (const file of ['compose.yaml', 'compose.postgres.yaml']) {
    const { services, volumes } = parse(text(file), { customTags: [override], merge: true }) as Compose
    const names = Object.values(services).flatMap(({ environment = {} }) => Object.keys(environment))
    const ours = names.filter(name => name.startsWith('PROCURA_'))
    expect(ours.length).toBeGreaterThan(1)
    for (const name of ours) expect(config).toContain(`  ${name}: [`)
    expect(Object.keys(volumes)).not.toHaveLength(0)
  }
  // where Docker is installed, it has the last word
  if (spawnSync('docker', ['compose', 'version']).status !== 0) return
  const docker = spawnSync('docker', ['compose', '-f', 'compose.yaml', '-f', 'compose.postgres.yaml', 'config', '-q'], {
    cwd: ROOT,
    env: { ...process.env, PROCURA_ORIGIN: 'https://id.example.org', POSTGRES_PASSWORD: 'x' },
    encoding: 'utf8',
  })
  expect(docker.stderr).toBe('')
})
