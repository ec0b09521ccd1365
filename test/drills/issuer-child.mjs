// One of several processes that issue and revoke on one database: node issuer-child.mjs <dist> <folder> <what> [argument…]
import { createPrivateKey, sign } from 'node:crypto'
import { writeSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [dist = '', folder = '', what = '', ...rest] = process.argv.slice(2)
/** @param {string} path */
const load = path => import(pathToFileURL(join(dist, path)).href)
const [{ openStore }, { createIssuer }, { openMarker }, { fileAudit }, { nextSecond, systemClock, systemIds }] =
  await Promise.all(
    ['adapters/store/store.js', 'issuer/issuer.js', 'adapters/marker/file.js', 'entry/audit.js', 'adapters/system.js'].map(load), // prettier-ignore
  )

// one key for all processes of a drill; it guards nothing
const jwk = { kty: 'OKP', crv: 'Ed25519', d: 'nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } // prettier-ignore
const key = createPrivateKey({ key: jwk, format: 'jwk' })
const did = 'did:web:drill.example'
const { parsePublicKey } = await load('ed25519.js')
const publicKey = parsePublicKey(Buffer.from(jwk.x, 'base64url'), 'drill')
const signer = {
  did,
  kid: `${did}#k1`,
  publicKey,
  /** @param {Uint8Array} data */
  sign: data => Promise.resolve(sign(null, data, key)),
}

const storage = process.env['PROCURA_DRILL_STORAGE'] ?? `sqlite://${join(folder, 'issuer.db')}`
// one process appends to a log; what a marker remembers of logs is none of this drill
const audit = await fileAudit(join(folder, `audit-${process.pid}`))
const store = await openStore(storage)
const marker = await openMarker(join(folder, 'marker'), () => Promise.resolve(0))
/** Acknowledges: a line that was written before the process is killed was told. @param {...unknown} words */
const tell = (...words) => void writeSync(1, `${words.join(' ')}\n`)

try {
  marker.requireReached({ sequence: await store.statusRepair.sequence(), auditSize: 0 })
} catch (error) {
  tell('refused', /** @type {{ code: string }} */ (error).code)
  process.exit(0)
}
const keys = { find: () => Promise.resolve(null), all: () => Promise.resolve([]) }
const issuing = {
  did,
  signer: () => Promise.resolve(signer),
  listed: () => Promise.resolve([{ kid: signer.kid, key: publicKey }]),
  /** @param {string} kid */
  find: kid => Promise.resolve(kid === signer.kid ? { key: publicKey, isListed: true } : null),
}
const statusBase = 'https://drill.example/v1/status/'
const issuer = createIssuer(
  { keys: issuing, statusBase },
  {
    ...store,
    /** @param {() => Promise<unknown>} work */
    transaction: work => store.transaction(work),
    clock: systemClock,
    ids: systemIds,
    keys,
    audit,
    marker,
    nextSecond,
  },
)
const authority = { more: 0, audience: ['https://api.drill.example'], grants: [{ resource: 'https://api.drill.example/**', actions: ['read'] }] } // prettier-ignore
const holder = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'
const { fromDidKey } = await load('did/key.js')

async function grant() {
  const one = await issuer.grant({ to: holder, key: fromDidKey(holder), authority, ttl: 3600 })
  for (const place of [one.status, one.suspension]) tell('issued', one.digest, place.url, place.index)
  return one
}
/** @param {string} url */
const nameOf = url => url.slice(statusBase.length)

if (what === 'grant') {
  for (let n = 0; n < Number(rest[0]); n += 1) await grant()
} else if (what === 'change') {
  const digests = (await readFile(rest[1] ?? '', 'utf8')).trim().split('\n')
  const changed = await Promise.all(digests.map(digest => issuer.change(digest, rest[0], did, true)))
  for (const { list, index, version } of changed) tell('changed', list, index, version)
} else if (what === 'list') {
  for (const url of rest) {
    const { token, version } = await issuer.list(nameOf(url))
    tell('list', url, version, token)
  }
} else if (what === 'work') {
  // until it is killed
  for (;;) {
    const all = await Promise.all([grant(), grant(), grant()])
    const seen = new Set(all.map(({ status }) => status.url))
    for (const url of seen) tell('served', url, (await issuer.list(nameOf(url))).version)
    const { list, index, version } = await issuer.revoke(all[0].digest, did, true)
    tell('revoked', list, index)
    tell('served', list, version)
  }
}
await store.close()
await audit.close()
