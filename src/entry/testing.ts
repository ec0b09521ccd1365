import {
  memoryChains,
  memoryLedger,
  memoryNonces,
  memoryRevocations,
  memoryVersions,
} from '../adapters/state/memory.js'
import { systemClock, systemIds } from '../adapters/system.js'
import { createParties } from '../adapters/testing/parties.js'
import { MAX_TTL, rootAgent, type TestAgent, type TestGrant } from '../adapters/testing/test-agent.js'
import type { Did } from '../did/did.js'
import { ProcuraError } from '../errors.js'
import { isObject, without, type Json, type JsonObject } from '../json.js'
import { parsePolicy } from '../policy/policy.js'
import type { StatusLists } from '../ports/deciding.js'
import { signApproval, type ApprovalRequest } from '../presentation/approval.js'
import { fromDate } from '../time.js'
import { createVerifier, type LocalVerifier } from '../verifier/verifier.js'
import { readJsonFile } from './parts.js'

export type { TestAgent, TestGrant, TestRequest } from '../adapters/testing/test-agent.js'

/** What a test says. */
export interface TestOptions {
  /** the resource server's own policy, or the path of its JSON file */
  readonly policy: JsonObject | string
  /** `YYYY-MM-DDTHH:MM:SSZ`; the real time unless given */
  readonly now?: string
}

/** A clock that stands until it is moved. */
export interface TestClock {
  /** seconds since 1970 */
  now(): number
  advance(seconds: number): void
}

/** Authority for the unit tests of a resource server: real keys, real signatures, the real verifier. */
export interface TestAuthority {
  /** decides by the policy, as in production; knows no network, and forgets with the test */
  readonly verifier: LocalVerifier
  readonly clock: TestClock
  /** every record that the verifier wrote, in order */
  readonly records: readonly object[]
  /** An agent with a root capability: all that the policy lets its first root grant, unless less is said. */
  readonly agent: (grant?: TestGrant) => Promise<TestAgent>
  /** What an approver of the policy signs, where a decision asks for it: the header `agent-approval`. */
  readonly approve: (required: ApprovalRequest) => Promise<string>
  /** Takes back the credential of an agent, as the root's issuer: it and everything below it is refused from now on. */
  readonly revoke: (agent: TestAgent) => Promise<void>
}

/**
 * Everybody whom the policy names gets a key of this test; nothing else of it changes. Credentials live for at most
 * 300 s and carry no status list.
 *
 * ```ts
 * const { verifier, agent, clock } = await testAuthority({ policy: 'policy.json' })
 * const booker = await agent()
 * const headers = await booker.headers({ method: 'POST', url: 'https://api.example/bookings/1', action: 'book', params, body })
 * ```
 *
 * @throws CONFIG_INVALID
 */
export async function testAuthority({ policy, now }: TestOptions): Promise<TestAuthority> {
  const raw = typeof policy === 'string' ? await readJsonFile(policy) : policy
  const parsed = parsePolicy(withoutKeys(raw), typeof policy === 'string' ? policy : 'policy')
  const [root] = parsed.roots.values()
  if (root === undefined) throw new ProcuraError('CONFIG_INVALID', { at: 'policy.roots', why: 'is empty' })
  let time = now === undefined ? systemClock.now() : fromDate(now)
  if (time === null) throw new ProcuraError('CONFIG_INVALID', { at: 'now', why: 'is not a time of the profile' })
  const started = time
  const clock: TestClock = {
    now: () => time as number,
    advance: seconds => {
      time = clock.now() + seconds
    },
  }
  const parties = createParties()
  const records: object[] = []
  const mint = { policy: parsed, parties, clock, ids: systemIds }
  const verifier = createVerifier(parsed, {
    clock,
    ids: systemIds,
    keys: parties.keys,
    statusLists: noLists,
    streams: { isHealthy: () => false },
    listVersions: memoryVersions(),
    revocations: memoryRevocations(),
    chains: memoryChains(clock),
    nonces: memoryNonces(clock, systemIds),
    // what is signed in the second in which it starts counts, too
    ledger: memoryLedger({ now: () => started - 1 }, { budgets: true }),
    audit: { record: entry => Promise.resolve(void records.push(entry)) },
  })
  return {
    verifier,
    clock,
    records,
    agent: ({ ttl = MAX_TTL, ...given } = {}) => {
      const granted = { audience: [parsed.self], grants: grantsOf(raw), ...given }
      return rootAgent(root.issuer, granted as unknown as JsonObject, ttl, mint)
    },
    approve(required) {
      const approver: Did = root.approvers[0] ?? root.issuer
      return signApproval(parties.of(approver), required, 'test', systemIds.token(), clock.now())
    },
    revoke: ({ digest }) => verifier.learn({ target: digest, signer: root.issuer }),
  }
}

/** Roots whose keys stand in the policy get keys of the test like all others. */
function withoutKeys(policy: Json): JsonObject {
  if (!isObject(policy) || !Array.isArray(policy['roots'])) return policy as JsonObject
  const roots = (policy['roots'] as readonly Json[]).map(root => (isObject(root) ? without(root, 'jwks') : root))
  return { ...policy, roots }
}

/** The grants of the first root as a credential writes them. The policy is known to be sound. */
function grantsOf(policy: Json): Json {
  const [root] = (policy as { readonly roots: readonly [{ readonly grants: readonly JsonObject[] }] }).roots
  return root.grants.map(grant => without(grant, 'audit'))
}

const noLists: StatusLists = {
  read: list => Promise.reject(new ProcuraError('STATUS_UNAVAILABLE', { list, why: 'a test has no network' })),
}
