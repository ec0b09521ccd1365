// biscuit in WebAssembly: an authority block and three more, each with checks, read from text, verified under the root's
// key and authorized by an authorizer of its own. Node 20 loads it with --experimental-wasm-modules.
import { authorizer, biscuit, Biscuit, block, KeyPair, SignatureAlgorithm } from '@biscuit-auth/biscuit-wasm'
import { RECEIVED, SELF } from '../inputs.js'
import { row, several } from '../rows/row.js'

const BELOW = `${SELF}/bookings/`
/** Its own limit is a millisecond on the clock, which a busy machine exceeds. */
const LIMITS = { max_facts: 1000, max_iterations: 100, max_time_micro: 60_000_000 }
const { action, resource, params } = RECEIVED

export function prepare() {
  const root = new KeyPair(SignatureAlgorithm.Ed25519)
  const key = root.getPublicKey()
  const authorize = text => {
    const token = Biscuit.fromBase64(text, key)
    const builder = authorizer`
      time(${new Date()}); audience(${SELF}); action(${action}); resource(${resource}); amount(${params.amount});
      allow if right(${SELF}, ${action});`
    const decision = builder.buildAuthenticated(token)
    if (decision.authorizeWithLimits(LIMITS) !== 0) throw new Error('no policy allows')
    decision.free()
    token.free()
  }
  return { 'biscuit-3': row(count => several(count, () => tokenOf(root)), authorize) }
}

/** What each link of a chain says, as Datalog: until when, where, for what, with which arguments. */
function tokenOf(root) {
  const until = new Date(Date.now() + 1_800_000)
  let token = biscuit`
    right(${SELF}, ${action});
    check if time($now), $now <= ${until};
    check if audience(${SELF}), action(${action});
    check if resource($one), $one.starts_with(${BELOW});
    check if amount($n), $n >= 0, $n <= 9;`.build(root.getPrivateKey())
  for (let more = 0; more < 3; more += 1) {
    token = token.appendBlock(block`
      check if time($now), $now <= ${until};
      check if audience(${SELF}), action(${action});
      check if resource($one), $one.starts_with(${BELOW});
      check if amount($n), $n >= 0, $n <= 9;`)
  }
  return token.toBase64()
}
