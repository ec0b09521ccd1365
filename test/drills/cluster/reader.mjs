// Holds what was acknowledged against databases, audit logs and what observers saw; asks no service. Ends with 1 if
// anything is missing, twice or too late: node reader.mjs <folder of a cluster that stands still> [part]
// `part`: not everything was tried
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import pg from 'pg'
import { readRecords } from '../../../dist/adapters/audit/read.js'
import { verifyLog } from '../../../dist/adapters/audit/verify.js'
import { openCheckpoint } from '../../../dist/audit/checkpoint.js'
import { parseKey } from '../../../dist/audit/note.js'
import { bitAt, decodeList } from '../../../dist/status/bitstring.js'
import { availability } from './availability.mjs'
import { readJournal } from './journal.mjs'
import { groupsOf, report } from './report.mjs'

const [folder = '', isPart] = process.argv.slice(2)
/** Seconds from the acknowledged revocation until nothing is allowed any more, at worst (profile §8.4). */
const PROMISED = { low: 306, medium: 66, high: 16, critical: 0 }

/** @type {{ databases: Record<'issuers' | 'verifiers', string>, logs: Record<string, string[]>, statusBase: string, risk: Record<string, keyof typeof PROMISED>, restored?: { from: number, to: number } }} */
const { databases, logs, statusBase, risk, restored } = JSON.parse(readFileSync(join(folder, 'cluster.json'), 'utf8'))
const journal = Object.fromEntries(
  ['load', 'lists', 'faults'].map(name => [name, readJournal(join(folder, `${name}.jsonl`))]),
)
const { load = [], lists = [], faults = [] } = journal
const entries = groupsOf(load, ({ what }) => what)
/** @param {string} what @returns {any[]} */
const told = what => entries.get(what) ?? []
const { invariant, figure, end } = report(isPart === 'part')
/** What was made after the copy that was put back is gone: that is no fault. @param {string} what */
const keptOf = what =>
  told(what).filter(({ done }) => restored === undefined || done < restored.from || done > restored.to)

/** @param {string} connectionString @param {Record<string, string>} questions @returns {Promise<Record<string, any[]>>} */
async function readDatabase(connectionString, questions) {
  const client = new pg.Client({ connectionString })
  await client.connect()
  /** @type {Record<string, any[]>} */
  const answers = {}
  for (const [name, sql] of Object.entries(questions)) answers[name] = (await client.query(sql)).rows
  await client.end()
  return answers
}
const { credentials, bits, names, subjects } = await readDatabase(databases.issuers, {
  credentials: 'SELECT digest FROM stored_credential',
  bits: 'SELECT list, index FROM status_bit',
  names: 'SELECT name FROM status_list',
  subjects: 'SELECT did, state FROM subject',
})
const { holds, spending } = await readDatabase(databases.verifiers, {
  holds: 'SELECT id, state FROM verifier_hold',
  spending: 'SELECT account, spent FROM verifier_spending',
})
const stored = {
  credentials: new Set(credentials?.map(({ digest }) => digest)),
  bits: new Set(bits?.map(({ list, index }) => `${statusBase}${list}#${index}`)),
  lists: new Set(names?.map(({ name }) => `${statusBase}${name}`)),
  subjects: new Map(subjects?.map(({ did, state }) => [did, state])),
  holds: new Map(holds?.map(({ id, state }) => [id, state])),
  spent: new Map(spending?.map(({ account, spent }) => [account, Number(spent)])),
}

/** @type {any[]} */
const records = []
const audits = []
for (const log of Object.values(logs).flat()) {
  const key = parseKey(readFileSync(join(log, 'key.pub'), 'utf8').trim())
  const kept = join(folder, 'checkpoints')
  const names = existsSync(kept) ? readdirSync(kept).filter(name => name.startsWith(`${basename(log)}.`)) : []
  const earlier = names.map(name => openCheckpoint(readFileSync(join(kept, name)), key))
  const { findings, records: count } = await verifyLog(log, key, earlier)
  audits.push({ log: basename(log), count, checkpoints: earlier.length, findings })
  for await (const { entry } of readRecords(log, key)) records.push(JSON.parse(Buffer.from(entry).toString()))
}
const byType = groupsOf(records, ({ type }) => type)
/** @param {string} type @returns {any[]} */
const recorded = type => byType.get(type) ?? []
/** @param {any} entry */
const placeOf = ({ list, index }) => `${list}#${index}`
const onRecord = {
  decisions: new Map(recorded('decision').map(record => [record.decisionId, record])),
  grants: new Set(recorded('grant').map(({ digest }) => digest)),
  bits: new Set(
    recorded('status').flatMap(({ list, indexes }) => indexes.map((/** @type {number} */ index) => `${list}#${index}`)),
  ),
}

// acknowledged ⊆ stored
invariant('an acknowledged grant is stored', keptOf('grant'), ({ digest }) => stored.credentials.has(digest))
invariant('an acknowledged registration is stored', keptOf('register'), ({ did }) => stored.subjects.has(did))
// of a list that an older copy never knew nothing is answered, which is a no
const revoked = told('revoke').filter(({ list }) => restored === undefined || stored.lists.has(list))
invariant('an acknowledged revocation is stored', revoked, entry => stored.bits.has(placeOf(entry)))
invariant('who was stopped is retired', keptOf('stop'), ({ did }) => stored.subjects.get(did) === 'retired')
const closed = groupsOf(
  keptOf('close').filter(({ allow }) => allow),
  ({ to }) => to,
)
invariant(
  'an acknowledged commit is stored',
  closed.get('commit') ?? [],
  ({ id }) => stored.holds.get(id) === 'committed',
)
const releases = closed.get('release') ?? []
invariant('an acknowledged release is stored', releases, ({ id }) => stored.holds.get(id) === 'released')

// lists
const served = new Map(
  lists
    .filter(({ what, token }) => what === 'final' && token !== null)
    .map(({ url, token }) => {
      const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      return [url, decodeList(credentialSubject.encodedList, url)]
    }),
)
invariant('its bit is set in the list that is served', revoked, ({ list, index }) =>
  bitAt(served.get(list) ?? new Uint8Array(), index),
)
const places = [...told('grant'), ...told('delegate')].flatMap(({ places }) =>
  places.map((/** @type {[string, number]} */ place) => place.join('#')),
)
invariant(
  'a place in a list belongs to one credential',
  [...groupsOf(places, place => place).values()],
  all => all.length === 1,
)
const looks = fallen(lists.filter(({ what }) => what === 'list'))
invariant('the version of a list never falls', looks, ({ version, before }) => version >= before)

// what was allowed
const ended = new Map([...told('revoke'), ...told('stop')].map(({ digest, done }) => [digest, done]))
const asked = told('verify').map(entry => ({
  ...entry,
  risk: risk[entry.action],
  after:
    (entry.sent - Math.min(...entry.digests.map((/** @type {string} */ one) => ended.get(one) ?? Infinity))) / 1000,
}))
for (const [name, seconds] of Object.entries(PROMISED)) {
  const late = asked.filter(one => one.risk === name && one.after > seconds)
  const what = `${name} risk: nothing is allowed later than ${seconds} s after the acknowledged revocation`
  invariant(what, late, ({ allow }) => !allow, seconds > 60)
}
invariant('what was changed, or is for another resource, is not allowed', told('wrong'), ({ allow }) => !allow)
const races = [...groupsOf(told('race'), ({ n }) => n).values()]
invariant('a presentation wins once at most', races, all => all.filter(({ allow }) => allow).length <= 1)
const racing = recorded('decision').filter(({ allow, resource = '' }) => allow && /\/race-\d+$/.test(resource))
if (faults.length === 0) invariant('… and once, where nothing failed', races, all => all.some(({ allow }) => allow))
invariant('… on record, too', [...groupsOf(racing, ({ resource }) => resource).values()], all => all.length === 1)

// budgets
const charges = told('charge').filter(({ allow }) => allow)
const byBudget = groupsOf(charges, ({ digest }) => digest)
// a release without an answer may have freed its charge
const free = new Set(
  told('close')
    .filter(({ to, allow, status }) => to === 'release' && (allow || status !== 200))
    .map(({ id }) => id),
)
// what was spent does not come back with an older copy
const budgets = told('budget').filter(({ done }) => restored === undefined || done > restored.to)
const sums = budgets.map(({ digest, max }) => {
  const held = (byBudget.get(digest) ?? []).filter(({ id }) => !free.has(id))
  const sum = held.reduce((total, { amount }) => total + amount, 0)
  return { digest, sum, spent: stored.spent.get(`${digest} 0`) ?? 0, max }
})
invariant('what is charged to a budget is not above it', sums, ({ sum, spent, max }) => sum <= max && spent <= max)
invariant('every acknowledged charge is in its sum', sums, ({ sum, spent }) => sum <= spent)

// audit
invariant('an audit log verifies, against every checkpoint seen', audits, ({ findings }) => findings.length === 0)
invariant('an acknowledged grant is on record', told('grant'), ({ digest }) => onRecord.grants.has(digest))
invariant('an acknowledged revocation is on record', told('revoke'), entry => onRecord.bits.has(placeOf(entry)))
const answered = [...told('verify'), ...told('charge'), ...told('race')].filter(({ allow }) => allow)
invariant('an allowed decision is on record', answered, ({ id }) => onRecord.decisions.get(id)?.allow === true)

// by themselves
const survived = faults.filter(({ what }) => what === 'fault' || what === 'dead' || what === 'stuck')
invariant(
  'all processes are ready again by themselves, and all calls answered',
  survived,
  ({ what }) => what === 'fault',
)
invariant('the load met no defect', [{ what: 'end' }, ...told('defect')], ({ what }) => what === 'end')
figure(`${records.length} records, ${audits.reduce((sum, one) => sum + one.checkpoints, 0)} checkpoints`)
const exits = groupsOf(
  faults.filter(({ what }) => what === 'ended'),
  ({ code, signal }) => code ?? signal,
)
for (const [how, all] of exits) figure(`${all.length} processes ended by themselves with ${how}`)
availability(told('call'), faults)
end()

/** Each look at a list beside the highest version that anybody had seen before it was asked for. @param {any[]} all */
function fallen(all) {
  const byEnd = [...all].sort((a, b) => a.done - b.done)
  const byStart = [...all].sort((a, b) => a.sent - b.sent)
  /** @type {Map<string, number>} */
  const highest = new Map()
  let n = 0
  return byStart.map(look => {
    for (; n < byEnd.length && byEnd[n].done <= look.sent; n += 1) {
      const { url, version } = byEnd[n]
      highest.set(url, Math.max(highest.get(url) ?? 0, version))
    }
    return { ...look, before: highest.get(look.url) ?? 0 }
  })
}
