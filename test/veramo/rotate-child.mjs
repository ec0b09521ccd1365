// rotates the keys of a database and is killed on the way: node rotate-child.mjs <url> <key file> <point> [drop]
import { openStore } from '../../dist/adapters/store/store.js'
import { keySource } from '../../dist/adapters/veramo/key-source.js'
import { rotateKeys } from '../../dist/adapters/veramo/rotate.js'

const [, , url = '', keyFile = '', point, drop] = process.argv
const die = (/** @type {string} */ at) => {
  if (at === point) process.kill(process.pid, 'SIGKILL')
}
const store = await openStore(url)
const file = keySource(keyFile, {})
/** @type {import('../../dist/adapters/veramo/key-source.js').KeySource} */
const source = {
  ...file,
  async write(keys, isNew) {
    const step = keys.size > 1 ? 'grow' : 'shrink'
    die(`before ${step}`)
    await file.write?.(keys, isNew)
    die(`after ${step}`)
  },
}
let batches = 0
const progress = () => die(`batch ${(batches += 1)}`)
// in the middle of a transaction: one key is sealed anew, the rest of its batch is not
const rows = store.sealedKeys
const replace = rows.replace.bind(rows)
/** @type {typeof replace} */
rows.replace = async (before, next) => {
  const replaced = await replace(before, next)
  die(`key ${batches}`)
  return replaced
}
console.log(JSON.stringify(await rotateKeys(source, rows, { drop: drop === 'drop', progress })))
await store.close()
