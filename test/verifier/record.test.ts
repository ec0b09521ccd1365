import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/json.js'
import { s256 } from '../../src/encoding.js'
import { nothingKnown, recordOf as written, type Decision } from '../../src/verifier/decision.js'
import { createVerifier } from '../../src/verifier/verifier.js'
import { booker, GRANTS, goodChain, mallory, owner, policyOf, present, REQUEST, SELF, world } from '../mint.js'

/** What is put on record of a call under a policy whose grants may list arguments to keep. */
async function recordOf(grants: readonly JsonObject[], by = booker, chain?: Awaited<ReturnType<typeof goodChain>>) {
  const records: JsonObject[] = []
  const record = (entry: object): Promise<void> => Promise.resolve(void records.push(entry as JsonObject))
  const policy = policyOf({ roots: [{ issuer: owner.did, grants }] })
  const verifier = createVerifier(policy, await world({ audit: { record } }))
  await verifier.decide(await present(by, chain ?? (await goodChain())), REQUEST)
  expect(records).toHaveLength(1)
  return records[0]!
}

const GRANT = { resource: `${SELF}/**`, actions: ['book'] }

test('no argument value is kept unless the policy lists it', async () => {
  const record = await recordOf([GRANT])
  expect(record).toMatchObject({ type: 'decision', allow: true, action: 'book' })
  expect(record).not.toHaveProperty('args')
  expect(JSON.stringify(record)).not.toContain('32000')
})

test('those it lists are kept, if they are there', async () => {
  const record = await recordOf([{ ...GRANT, audit: ['amount', 'note', '__proto__', 'toString'] }])
  expect(record['args']).toEqual({ amount: 32_000 })
  expect(JSON.stringify(record)).not.toContain('"USD"')
})

test('a value that is long is kept as its digest', () => {
  const note = 'x'.repeat(3000)
  const known = { ...nothingKnown(), audited: ['note'] }
  const said = written({ allow: true } as Decision, { ...REQUEST, params: { note } }, known)
  expect(said).toMatchObject({ args: { note: { s256: s256(JSON.stringify(note)) } } })
})

test.each([
  ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '4bf92f3577b34da6a3ce929d0e0e4736'],
  ['01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more', '4bf92f3577b34da6a3ce929d0e0e4736'],
  ['00-00000000000000000000000000000000-00f067aa0ba902b7-01', null],
  ['00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01', null],
  ['nonsense', null],
  [undefined, null],
])('the trace of %s', (traceparent, correlationId) => {
  expect(written({ allow: true } as Decision, { ...REQUEST, traceparent }, nothingKnown())).toMatchObject({
    correlationId,
  })
})

test('what the agent says told it to make the call', async () => {
  const provenance = [{ source: 'https://chat.example/thread/7', s256: s256('book it') }]
  const records: object[] = []
  const audit = { record: (entry: object) => Promise.resolve(void records.push(entry)) }
  const verifier = createVerifier(policyOf({ roots: [{ issuer: owner.did, grants: [GRANT] }] }), await world({ audit }))
  await verifier.decide(await present(booker, await goodChain(), { request: { provenance } }), REQUEST)
  expect(records).toMatchObject([{ allow: true, provenance }])
})

test('of a call that a link denies too: an auditor wants to see what was tried', async () => {
  const args = new Map([...GRANTS[0]!.args!, ['amount', { op: 'range', min: 0, max: 9, req: true } as const]])
  const chain = await goodChain({ grants: [{ ...GRANTS[0]!, args }] })
  const record = await recordOf([{ ...GRANT, audit: ['amount'] }], booker, chain)
  expect(record).toMatchObject({ allow: false, code: 'DENIED_ARG', args: { amount: 32_000 } })
})

test('only of grants that allow the call', async () => {
  const other = { resource: `${SELF}/hotels/**`, actions: ['book'], audit: ['amount'] }
  expect(await recordOf([GRANT, other])).not.toHaveProperty('args')
})

test('never of a caller that proved nothing', async () => {
  expect(await recordOf([{ ...GRANT, audit: ['amount'] }], mallory)).not.toHaveProperty('args')
})
