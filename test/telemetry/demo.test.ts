import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { delegationsOf, formatDelegations } from '../../src/audit/delegations.js'
import type { JsonObject } from '../../src/json.js'
import { recordsOf } from '../audit/records.js'
import { recordOfSpan, type Attributes } from './span-records.js'

const DEMO = join(import.meta.dirname, '../../examples/demo.js')
const PRELOAD = pathToFileURL(join(import.meta.dirname, 'spans-to-file.mjs')).href

test('the delegation graph of the demo is rebuilt from exported spans alone, and is the one of its logs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'procura-demo-spans-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const spans = join(folder, 'spans')
  const environment = { PATH: process.env['PATH'], DEMO_FOLDER: folder, SPANS: spans }
  const demo = spawn(process.execPath, ['--import', PRELOAD, DEMO], { env: environment, stdio: 'ignore' })
  await once(demo, 'exit')

  const told = readFileSync(spans, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { readonly name: string; readonly attributes: Attributes })
    .filter(({ name }) => name === 'procura.decide')
  const graphOf = (records: readonly JsonObject[]): readonly string[] => formatDelegations(delegationsOf(records))
  let decisions = 0
  for (const [server, log] of [
    ['https://ml.acme.example/', 'acme.audit'],
    ['https://gpu.borealis.example/', 'gpu.borealis.example.audit'],
    ['https://api.travel.example/', 'api.travel.example.audit'],
  ] as const) {
    const records = (await recordsOf(join(folder, log))).filter(({ type }) => type === 'decision')
    const here = told.filter(({ attributes }) => String(attributes['trust.scopes']).includes(` ${server}`))
    expect(here.length).toBe(records.length)
    const graph = graphOf(here.map(({ attributes }) => recordOfSpan(attributes)))
    expect(graph).toEqual(graphOf(records as readonly JsonObject[]))
    expect(graph.length).toBeGreaterThan(2)
    decisions += records.length
  }
  expect(told.length).toBe(decisions)
}, 60_000)
