import { OPERATIONS } from '../../api/operations.js'
import { keepChain } from './chains.js'
import type { Serve } from './serve.js'

/** What resource servers ask: each is bound to the audience and the policy of its own verifier. */
export function verifyRoutes(serve: Serve): void {
  serve(OPERATIONS.verify, async ({ body, by: { verifier } }) => {
    const { presentation, proof = '', approval, reserve = false, request: asked } = body
    const received = { ...asked, bodyDigest: asked.bodyDigest ?? null, ...(approval === undefined ? {} : { approval }) }
    return verifier.decide(presentation ?? { proof }, received, { reserve })
  })

  serve(OPERATIONS.commit, ({ body, by: { verifier } }) => verifier.commit(body.decisionId))
  serve(OPERATIONS.release, ({ body, by: { verifier } }) => verifier.release(body.decisionId))

  serve(OPERATIONS.keepChain, async ({ params, body, by: { verifier } }) => {
    await keepChain(verifier, params.digest, body)
    return null
  })

  serve(OPERATIONS.challenge, async ({ body, by: { verifier } }) => ({ nonce: await verifier.challenge(body.action) }))
}
