import { expect, test } from 'vitest'
import { createLog } from '../../src/adapters/telemetry/log.js'
import { createMetrics } from '../../src/adapters/telemetry/metrics.js'
import type { ReceivedRequest } from '../../src/presentation/request.js'
import type { Decision, Verifier } from '../../src/verifier/verifier.js'

const TOKEN = 'eyJhbGciOiJFZERTQSJ9.eyJzZWNyZXQiOiJwYXlsb2FkIn0.c2lnbmF0dXJl'

test('the log tells faults, and no token wherever it stands', () => {
  const lines: string[] = []
  const log = createLog('info', { write: line => void lines.push(line) })
  log.error({ err: new Error(`cannot read ${TOKEN}`) }, `a defect with ${TOKEN}`)
  log.info(
    { headers: { authorization: 'Bearer abcdefgh', 'agent-proof': TOKEN }, nonce: 'n-o-n-c-e', kept: 'this' },
    'asked',
  )
  log.debug('too little to be told')
  expect(lines).toHaveLength(2)
  const text = lines.join('')
  for (const secret of [TOKEN, 'abcdefgh', 'n-o-n-c-e', 'eyJ']) expect(text).not.toContain(secret)
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 50, err: { type: 'Error', message: 'cannot read [token]' } })
  expect(JSON.parse(lines[1]!)).toMatchObject({ headers: { authorization: '[redacted]' }, kept: 'this' })
})

test('a terminal obeys nothing in the log, and a reader of JSON finds it as it was', () => {
  const lines: string[] = []
  const name = '\u001b[2J\u009b1mpla\u202enner\u2028'
  createLog('info', { write: line => void lines.push(line) }).error({ err: new Error(name) }, name)
  expect(lines).toHaveLength(1)
  expect(lines[0]).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  expect(JSON.parse(lines[0]!)).toMatchObject({ msg: name, err: { message: name } })
})

test('figures count what is on record, what could not be, and how long decisions take', async () => {
  const metrics = createMetrics()
  let isFull = false
  const audit = metrics.counted({ record: () => (isFull ? Promise.reject(new Error('full')) : Promise.resolve()) })
  await audit.record({ type: 'decision', allow: true, code: null })
  await audit.record({ type: 'decision', allow: false, code: 'DENIED_ARG' })
  await audit.record({ type: 'grant' })
  isFull = true
  await expect(audit.record({ type: 'grant' })).rejects.toThrow('full')
  metrics.watch('procura_test', 'a figure', () => Promise.resolve(7))
  const verifier = metrics.timed<Pick<Verifier, 'decide'>>({
    decide: () => Promise.resolve({ allow: true } as Decision),
  })
  await verifier.decide('token', {} as ReceivedRequest)
  const text = await metrics.text()
  for (const line of [
    'procura_decisions_total{outcome="allow",code=""} 1',
    'procura_decisions_total{outcome="deny",code="DENIED_ARG"} 1',
    'procura_records_total{type="grant"} 1',
    'procura_audit_failures_total 1',
    'procura_decision_seconds_count 1',
    'procura_test 7',
  ])
    expect(text).toContain(`${line}\n`)
  expect(text).toMatch(/^nodejs_eventloop_lag_seconds \d/m)
})
