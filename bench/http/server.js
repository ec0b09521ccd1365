// One process that is measured: the service as `procura serve` runs it, or Fastify with stock Veramo, or with nothing
// but the four signatures.
import { verify } from 'node:crypto'
import Fastify from 'fastify'
import { fromDidKey } from 'procura'
import { openProcesses } from '../../dist/entry/processes.js'

/** @type {Record<string, () => Promise<string>>} */
const peers = { stock, bare }
const [what = ''] = process.argv.slice(2)
const address = await (peers[what] ?? own)()
// what it took so far, whenever it is asked
process.on('message', () => process.send?.(process.cpuUsage()))
process.once('disconnect', () => process.exit())
process.send?.(address)

async function own() {
  const { PROCURA_SIGNATURES } = process.env
  const service = await openProcesses({ config: what, environment: { PROCURA_SIGNATURES }, onDefect: console.error })
  process.once('SIGTERM', () => void service.close().then(() => process.exit()))
  return service.address
}

async function stock() {
  // not in the process of the others
  const { verifying } = await import('../rows/veramo.js')
  const refusal = verifying()
  return listen(async presentation => {
    const detail = await refusal(presentation)
    return detail === null ? { allow: true } : { allow: false, detail }
  })
}

function bare() {
  /** Kept by the name that a token gives. @type {Map<string, import('procura').PublicKey>} */
  const keys = new Map()
  /** @param {string} token @returns {string | null} what it says, if its signature verifies */
  const open = token => {
    const [head = '', body = '', signature = ''] = token.split('.')
    const { kid } = /** @type {{ kid: import('procura').DidUrl }} */ (read(head))
    const key = keys.get(kid) ?? fromDidKey(/** @type {import('procura').Did} */ (kid.slice(0, kid.indexOf('#'))))
    keys.set(kid, key)
    const holds = verify(null, Buffer.from(`${head}.${body}`), key.handle, Buffer.from(signature, 'base64url'))
    return holds ? body : null
  }
  return listen(presentation => {
    const body = open(presentation)
    if (body === null) return { allow: false }
    const { verifiableCredential: links } = /** @type {{ verifiableCredential: { id: string }[] }} */ (read(body))
    return { allow: links.length === 3 && links.every(({ id }) => open(id.slice(id.indexOf(',') + 1)) !== null) }
  })
}

/** @param {string} part @returns {unknown} */
const read = part => JSON.parse(Buffer.from(part, 'base64url').toString())

/** @param {(presentation: string) => unknown} answer */
function listen(answer) {
  const app = Fastify()
  app.post('/v1/verify', ({ body }) => answer(/** @type {{ presentation: string }} */ (body).presentation))
  return app.listen({ host: '127.0.0.1', port: 0 })
}
