import type { Policy } from '../../src/policy/policy.js'
import type { ReceivedRequest } from '../../src/presentation/request.js'
import type {
  createVerifier,
  DecideOptions,
  Decision,
  Shown,
  Verifier,
  VerifierPorts,
} from '../../src/verifier/verifier.js'
import { booker, goodChain, NOW, policyOf, present, REQUEST, world } from '../mint.js'

/** Decides under a policy, in a world. */
export type Decider = (
  shown: Shown,
  received: ReceivedRequest,
  policy: Policy,
  ports: VerifierPorts,
  options?: DecideOptions,
) => Promise<Decision>

/** Who asks twice in one world and under one policy asks one verifier twice. */
export function deciderOf(create: typeof createVerifier): Decider {
  const verifiers = new WeakMap<VerifierPorts, Map<string, Verifier>>()
  return (shown, received, policy, ports, options) => {
    const known = verifiers.get(ports) ?? new Map<string, Verifier>()
    verifiers.set(ports, known)
    const verifier = known.get(policy.version) ?? create(policy, ports)
    known.set(policy.version, verifier)
    return verifier.decide(shown, received, options)
  }
}

/** Asks a verifier once or more; answers `allow` or the code of the last answer. */
export type Attempt = (decider: Decider) => Promise<string>

/** What differs from a good request. */
export interface Given {
  readonly token?: string
  readonly request?: Partial<typeof REQUEST>
  readonly policy?: Policy
  readonly ports?: Partial<VerifierPorts> & { readonly list?: string }
  /** how often the same presentation is used */
  readonly times?: number
}

/** One thing differs from a good request. */
export const once =
  (prepare: () => Promise<Given>): Attempt =>
  async decider => {
    const { token, request = {}, policy = policyOf(), ports = {}, times = 1 } = await prepare()
    const world_ = await world(ports)
    let answer = 'nothing asked'
    for (let time = 0; time < times; time += 1) {
      const used = token ?? (await present(booker, await goodChain()))
      answer = codeOf(await decider(used, { ...REQUEST, ...request }, policy, world_))
    }
    return answer
  }

/** The clock moves on by `seconds` while the status list is fetched. */
export function slow(
  seconds: number,
  prepare: () => Promise<{ readonly token: string; readonly policy?: Policy }>,
): Attempt {
  return async decider => {
    let now = NOW
    const ports = await world()
    const statusLists: VerifierPorts['statusLists'] = {
      read: (url, maxAge) => {
        now += seconds
        return ports.statusLists.read(url, maxAge)
      },
    }
    const { token, policy = policyOf() } = await prepare()
    return codeOf(await decider(token, REQUEST, policy, { ...ports, statusLists, clock: { now: () => now } }))
  }
}

/** `allow`, or the code. */
export function codeOf(decision: Decision): string {
  return decision.allow ? 'allow' : decision.code
}
