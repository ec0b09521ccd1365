// One process that bench/http.js measures: the service as `procura serve` runs it, or stock Veramo behind Fastify.
import { createAgent } from '@veramo/core'
import { CredentialProviderJWT } from '@veramo/credential-jwt'
import { CredentialPlugin } from '@veramo/credential-w3c'
import { DIDResolverPlugin } from '@veramo/did-resolver'
import Fastify from 'fastify'
import { getResolver } from 'key-did-resolver'
import { openService } from 'procura/service'

const [config] = process.argv.slice(2)
const address = config === undefined ? await stock() : await own(config)
// what it took so far, whenever it is asked
process.on('message', () => process.send?.(process.cpuUsage()))
process.once('disconnect', () => process.exit())
process.send?.(address)

/** @param {string} config */
async function own(config) {
  const service = await openService({ config, environment: {}, onDefect: console.error })
  process.once('SIGTERM', () => void service.close().then(() => process.exit()))
  return service.address
}

async function stock() {
  const create = /** @type {typeof createAgent<import('@veramo/core-types').ICredentialPlugin>} */ (createAgent)
  const agent = create({
    plugins: [new DIDResolverPlugin({ ...getResolver() }), new CredentialPlugin([new CredentialProviderJWT()])],
  })
  const app = Fastify()
  app.post('/v1/verify', async ({ body }) => {
    const { presentation } = /** @type {{ presentation: string }} */ (body)
    const shown = await agent.verifyPresentation({ presentation })
    if (!shown.verified) return { allow: false, detail: shown.error?.message }
    // it does not look at what is presented
    const claims = Buffer.from(presentation.split('.')[1] ?? '', 'base64url').toString()
    /** @type {unknown} */
    const read = JSON.parse(claims)
    const { vp } = /** @type {{ vp: { verifiableCredential: string[] } }} */ (read)
    for (const credential of vp.verifiableCredential) {
      const one = await agent.verifyCredential({ credential })
      if (!one.verified) return { allow: false, detail: one.error?.message }
    }
    return { allow: vp.verifiableCredential.length === 3 }
  })
  return app.listen({ host: '127.0.0.1', port: 0 })
}
