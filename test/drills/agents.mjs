// Kills a process that makes agents, registers them and grants to them, again and again, and looks afterwards with other
// eyes: everything it acknowledged is there, no key is without its DID, and `procura fsck` finds nothing.
//
//   node test/drills/agents.mjs [--kills 50] [--postgres postgres://…]
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { openStore } from '../../dist/adapters/store/store.js'
import { openIssuer } from '../../dist/entry/issuer.js'
import { openService } from '../../dist/entry/service.js'

const { values } = parseArgs({ options: { kills: { type: 'string', default: '50' }, postgres: { type: 'string' } } })
const kills = Number(values.kills)
const ROOT = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'procura-drill-'))
/** @type {string[]} */
const schemas = []
let broken = 0

try {
  await drill()
} finally {
  rmSync(folder, { recursive: true, force: true })
  for (const schema of schemas) await administer(`DROP SCHEMA ${schema} CASCADE`)
}
process.exitCode = broken === 0 ? 0 : 1

async function drill() {
  const [ofService, ofWallet] = [await database('service'), await database('wallet')]
  const operator = `sqlite://${join(folder, 'operator.db')}`
  const keyFile = join(folder, 'wallet.key')
  const config = writeConfig(ofService, operator)
  /** @type {{ made: Set<string>, registered: Set<string>, granted: Map<string, string> }} */
  const acknowledged = { made: new Set(), registered: new Set(), granted: new Map() }
  for (let n = 1; n <= kills; n += 1) {
    await runAndKill([config, operator, ofWallet, keyFile], 20 + Math.random() * 400, acknowledged)
    if (process.stderr.isTTY) process.stderr.write(`\r${n} of ${kills} kills, ${acknowledged.granted.size} granted`)
  }
  if (process.stderr.isTTY) process.stderr.write('\n')

  const [service, wallet] = [await openStore(ofService), await openStore(ofWallet)]
  const missing = { made: 0, registered: 0, granted: 0 }
  for (const did of acknowledged.made) if (!(await isDid(wallet, did))) missing.made += 1
  for (const did of acknowledged.registered) if ((await service.subjects.find(did)) === null) missing.registered += 1
  for (const [digest, did] of acknowledged.granted)
    if ((await service.credentials.find(digest))?.subject !== did) missing.granted += 1
  const findings = [...(await service.check()), ...(await wallet.check())]
  await service.close()
  await wallet.close()
  const fsck = spawnSync(process.execPath, [join(ROOT, 'dist/entry/cli.js'), 'fsck', '--config', config], {
    encoding: 'utf8',
  })

  console.log(`${kills} kills on ${values.postgres === undefined ? 'SQLite' : 'PostgreSQL'}`)
  invariant('every agent that was acknowledged has its DID', acknowledged.made.size, missing.made)
  invariant('every registration that was acknowledged is there', acknowledged.registered.size, missing.registered)
  invariant('every grant that was acknowledged is stored', acknowledged.granted.size, missing.granted)
  invariant('no orphan: keys, DIDs, credentials, status', findings.length === 0 ? 1 : 0, findings.length)
  for (const { what } of findings) console.log(`     ${what}`)
  invariant('procura fsck is clean', fsck.status === 0 ? 1 : 0, fsck.status === 0 ? 0 : 1)
  if (fsck.status !== 0) console.log(`${fsck.stdout}${fsck.stderr}`)
  await goesOn(config, operator)
}

/** The service that was killed last starts, and grants. @param {string} config @param {string} operator */
async function goesOn(config, operator) {
  const service = await openService({ config, environment: {} })
  const connect = { [service.config.origin]: service.address }
  const issuer = await openIssuer({ service: service.config.origin, storage: operator, connect })
  const { operator: did } = issuer
  await issuer.register({ kind: 'person', did, name: 'operator' })
  await issuer.grant({
    to: did,
    ttl: 60,
    authority: {
      audience: ['https://api.example'],
      grants: [{ resource: 'https://api.example/**', actions: ['read'] }],
    },
  })
  await issuer.close()
  await service.close()
  invariant('the service starts again, and grants', 1, 0)
}

/** @param {string} what @param {number} held @param {number} violated */
function invariant(what, held, violated) {
  broken += violated
  if (held === 0 && violated === 0) broken += 1 // what was never tried holds nothing
  console.log(`${violated === 0 && held > 0 ? '✓' : '✗'} ${what}: ${held} held, ${violated} violated`)
}

/**
 * Runs the child until it acknowledged something, then for a while, then kills it.
 *
 * @param {string[]} args @param {number} milliseconds
 * @param {{ made: Set<string>, registered: Set<string>, granted: Map<string, string> }} acknowledged
 */
function runAndKill(args, milliseconds, acknowledged) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'agents-child.mjs'), ...args])
  let [rest, errors] = ['', '']
  let killer
  child.stderr.on('data', chunk => (errors += chunk))
  child.stdout.on('data', chunk => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const { made, registered, granted, to } = JSON.parse(line)
      if (made) acknowledged.made.add(made)
      if (registered) acknowledged.registered.add(registered)
      if (granted) acknowledged.granted.set(granted, to)
      if (granted) killer ??= setTimeout(() => child.kill('SIGKILL'), milliseconds)
    }
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (_, signal) =>
      signal === 'SIGKILL' ? resolve(undefined) : reject(new Error(`the child ended by itself: ${errors}`)),
    )
  })
}

/** @param {import('../../dist/adapters/store/store.js').Store} store @param {string} did */
async function isDid(store, did) {
  return (await store.dataSource.getRepository('identifier').countBy({ did })) === 1
}

/** The URL of a database nobody used. @param {string} name */
async function database(name) {
  if (values.postgres === undefined) return `sqlite://${join(folder, `${name}.db`)}`
  const schema = `procura_drill_${name}_${process.pid}`
  await administer(`CREATE SCHEMA ${schema}`)
  schemas.push(schema)
  const url = new URL(values.postgres)
  url.searchParams.set('options', `-c search_path=${schema}`)
  return url.href
}

/** @param {string} sql */
async function administer(sql) {
  const client = new pg.Client({ connectionString: values.postgres })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

/** @param {string} storage @param {string} operator */
function writeConfig(storage, operator) {
  const block = {
    origin: 'https://id.drill.example',
    storage,
    keyFile: join(folder, 'service.key'),
    operator,
    audit: join(folder, 'audit'),
    listen: { host: '127.0.0.1', port: 0 },
  }
  const path = join(folder, 'agent.yml')
  const template = readFileSync(join(ROOT, 'agent.yml'), 'utf8')
  writeFileSync(path, template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(block)}\n\n`))
  return path
}
