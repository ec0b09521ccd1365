// @ts-check
// Grants to every agent of a CSV file, with the operator's wallet: node examples/grant-csv.js agents.csv > granted.ndjson
//   name,did,autonomy,risk,resource,actions,ttl
//   planner,did:key:z6Mk…,L2,low,https://api.example/bookings/**,book quote,3600
// A file with a malformed line sends nothing. What was granted is printed, a JSON object a line; what the service refused
// is in agents.csv.failed.ndjson. An interrupted run is run again: a line that was granted is answered as the first time.
import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { isProcuraError, ProcuraError } from 'procura'
import { openIssuer } from 'procura/issuer'
import { z } from 'zod'

const Row = z.strictObject({
  name: z.string().min(1).max(128),
  did: z.templateLiteral(
    ['did:', z.string().regex(/^[a-z0-9]+$/), ':', z.string().regex(/^[\w.:%-]+$/)],
    'is not a DID',
  ),
  autonomy: z.enum(['L0', 'L1', 'L2', 'L3', 'L4', 'L5']),
  risk: z.enum(['low', 'high']),
  resource: z.url({ protocol: /^https$/ }),
  actions: z.string().transform(text => text.split(' ')),
  ttl: z
    .string()
    .regex(/^[1-9]\d*$/, 'is not a number of seconds')
    .transform(Number),
})
const COLUMNS = Object.keys(Row.shape)

const file = process.argv[2] ?? 'agents.csv'
const report = `${file}.failed.ndjson`
const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'

const rows = readRows(readFileSync(file, 'utf8').replace(/^\uFEFF/, ''))
if (rows === null) process.exit(1)
const issuer = await openIssuer({
  service: 'https://procura.example',
  storage: 'sqlite://data/var/operator.db',
  connect: { 'https://procura.example': service },
})
writeFileSync(report, '')
const started = performance.now()
let failed = 0
try {
  for (const [index, row] of rows.entries()) {
    const { line, name, did } = row
    try {
      console.log(JSON.stringify({ line, name, did, ...(await grant(row)) }))
    } catch (error) {
      // a service that does not answer is no reason to fail every line that is left
      if (!isProcuraError(error) || error.kind === 'unavailable') throw error
      failed += 1
      appendFileSync(report, `${JSON.stringify({ line, name, did, code: error.code, why: error.message })}\n`)
    }
    const rate = ((index + 1) * 1000) / (performance.now() - started)
    process.stderr.write(
      `${index + 1} of ${rows.length}, ${rate.toFixed(1)}/s, ${failed} failed${process.stderr.isTTY ? '\r' : '\n'}`,
    )
  }
} finally {
  await issuer.close()
}
if (failed > 0) {
  console.error(`see ${report}`)
  process.exitCode = 1
}

/** @typedef {z.infer<typeof Row> & { line: number, key: string }} Line */

/** Registers who is missing, and grants. @param {Line} row */
async function grant({ line, name, did, autonomy, risk, resource, actions, ttl, key }) {
  const agent = { operator: 'did:web:procura.example', autonomy, risk }
  const known = (await issuer.subject(did)) ?? (await issuer.register({ kind: 'agent', did, name, agent })).subject
  if (known.agent?.autonomy !== autonomy || known.agent.risk !== risk) {
    throw new ProcuraError('SCHEMA', {
      at: `line ${line}`,
      why: `is not as registered: ${JSON.stringify(known.agent)}`,
    })
  }
  const authority = {
    audience: [new URL(resource).origin],
    onBehalfOf: 'did:web:procura.example',
    more: 1, // it may be handed on once
    grants: [{ resource, actions }],
  }
  const { credential, digest } = await issuer.api.grant({ body: { to: did, ttl, authority } }, { idempotencyKey: key })
  return { digest, credential }
}

/** The lines of the file, or `null` if one is malformed; each that is has been named then. @param {string} text */
function readRows(text) {
  /** @type {Line[]} */
  const rows = []
  /** @type {Map<string, number>} */
  const seen = new Map()
  const wrong = []
  const [header, ...records] = readCsv(text)
  if (header?.fields?.join() !== COLUMNS.join()) wrong.push(`line 1: is not ${COLUMNS.join()}`)
  for (const { line, fields } of records) {
    const row = Row.safeParse(Object.fromEntries(fields?.map((field, at) => [COLUMNS[at] ?? `column ${at + 1}`, field]) ?? [])) // prettier-ignore
    // made of the file's name and what the line says: lines that are added or corrected change no other line's key
    const key = createHash('sha256')
      .update(JSON.stringify([basename(file), fields]))
      .digest('base64url')
    const twin = seen.get(key)
    if (fields === null) wrong.push(`line ${line}: a quote is out of place`)
    else if (!row.success)
      wrong.push(...row.error.issues.map(({ path, message }) => `line ${line}: ${path.join()} ${message}`)) // prettier-ignore
    else if (twin !== undefined) wrong.push(`line ${line}: is line ${twin} again`)
    else rows.push({ ...row.data, line, key })
    seen.set(key, line)
  }
  for (const one of wrong) console.error(one)
  return wrong.length === 0 ? rows : null
}

/** The records of RFC 4180, with the line where each begins; `null` for what cannot be read, and ends it. @param {string} text @returns {Generator<{ line: number, fields: string[] | null }, void>} */
function* readCsv(text) {
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n)/y
  const whole = text.endsWith('\n') ? text : `${text}\n`
  /** @type {string[]} */
  let fields = []
  for (let line = 1, next = 1; field.lastIndex < whole.length;) {
    const match = field.exec(whole)
    if (match === null) {
      yield { line, fields: null }
      return
    }
    const [all, quoted, plain = '', end] = match
    fields.push(quoted?.replaceAll('""', '"') ?? plain)
    next += all.split('\n').length - 1
    if (end === ',') continue
    if (fields.join('') !== '') yield { line, fields }
    fields = []
    line = next
  }
}
