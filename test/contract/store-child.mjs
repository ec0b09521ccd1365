// One of several processes that use one database at once: node store-child.mjs <compiled> <url> <name>
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [compiled = '', url = '', name = ''] = process.argv.slice(2)
const { openStore } = await import(pathToFileURL(join(compiled, 'src/adapters/store/store.js')).href)
const { digestOf } = await import(pathToFileURL(join(compiled, 'src/encoding.js')).href)
const { KeyStore } = await import(pathToFileURL(join(compiled, 'node_modules/@veramo/data-store/build/index.js')).href)

const store = await openStore(url)
const keys = new KeyStore(store.dataSource)
const issuer = `did:key:z6Mk${name}`
const work = Array.from({ length: 15 }, async (_, n) => {
  const { list, indexes } = await store.statusRows.lease({
    issuer,
    count: 3,
    purpose: 'revocation',
    validUntil: 1_793_000_000,
    now: 1_792_999_000,
  })
  await store.transaction(async () => {
    await store.credentials.findRoot('did:key:z6MkOwner', `urn:uuid:${name}-${n}`)
    await store.credentials.save({
      digest: digestOf(`head.${name}-${n}`),
      id: `urn:uuid:${name}-${n}`,
      issuer,
      subject: issuer,
      parent: null,
      issuedAt: 1_792_999_000,
      validUntil: 1_793_000_000,
      token: 'a.b.c',
      key: 'A'.repeat(43),
      status: null,
      suspension: null,
    })
  })
  await keys.importKey({ kid: `${name}-${n}`, kms: 'local', type: 'Ed25519', publicKeyHex: '00' })
  return /** @type {number[]} */ (indexes).map(index => `${list}#${index}`)
})
const leased = (await Promise.all(work)).flat()
const won = Number(await store.installation.insertIfAbsent('did', name))
await store.close()
console.log(JSON.stringify({ leased, won }))
