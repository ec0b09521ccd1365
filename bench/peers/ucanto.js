// ucanto: an invocation under three delegations, each to the next, read from a CAR archive and checked by the validator's
// `access`. The validator's own Ed25519 is JavaScript (@noble/ed25519); it keeps no keys.
import { Delegation, delegate, invoke } from '@ucanto/core'
import { ed25519, Verifier } from '@ucanto/principal'
import { access, capability, DID, fail, ok, Schema } from '@ucanto/validator'
import { RECEIVED, SELF } from '../inputs.js'
import { row, several } from '../rows/row.js'

const BELOW = `${SELF}/bookings/`

/** May be handed on with a lower limit and a longer path only. */
const Book = capability({
  can: 'bookings/book',
  with: DID.match({ method: 'key' }),
  nb: Schema.struct({ below: Schema.string(), max: Schema.integer() }),
  derives: (child, parent) => {
    if (child.with !== parent.with) return fail('another account')
    if (!child.nb.below.startsWith(parent.nb.below)) return fail('another resource')
    return child.nb.max <= parent.nb.max ? ok({}) : fail('more')
  },
})

export async function prepare() {
  const [account, orchestrator, booker, caller, service] = await several(5, () => ed25519.generate())
  const make = async () => {
    const expiration = Math.floor(Date.now() / 1000) + 1800
    let proofs = []
    for (const [issuer, audience] of [
      [account, orchestrator],
      [orchestrator, booker],
      [booker, caller],
    ]) {
      const capabilities = [{ can: 'bookings/book', with: account.did(), nb: { below: BELOW, max: 9 } }]
      proofs = [await delegate({ issuer, audience, capabilities, proofs, expiration, nonce: crypto.randomUUID() })]
    }
    const asked = {
      can: 'bookings/book',
      with: account.did(),
      nb: { below: RECEIVED.resource, max: RECEIVED.params.amount },
    }
    const invocation = await invoke({
      issuer: caller,
      audience: service,
      capability: asked,
      proofs,
      expiration: expiration - 1740,
      nonce: crypto.randomUUID(),
    }).delegate()
    const { ok: bytes, error } = await invocation.archive()
    if (bytes === undefined) throw error
    return bytes
  }
  const call = async bytes => {
    const { ok: invocation, error: unread } = await Delegation.extract(bytes)
    if (invocation === undefined) throw unread
    const { error } = await access(invocation, {
      capability: Book,
      principal: Verifier,
      authority: service,
      validateAuthorization: () => ok({}),
    })
    if (error) throw error
  }
  return { 'ucanto-3': row(count => several(count, make), call) }
}
