import type { Client } from '../../src/api/client.js'
import { openChain, type Chain, type Link } from '../../src/delegation/chain.js'
import { ProcuraError, type Facts } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'
import type { Sealed, Verified } from '../../src/jws/compact.js'
import { readCredential } from '../../src/credential/credential.js'
import { subjectShape } from '../../src/delegation/chain.js'
import type { Policy } from '../../src/policy/policy.js'
import { createVerifier, type Decision, type VerifierPorts } from '../../src/verifier/verifier.js'

/**
 * What the compiler must refuse. Each `@ts-expect-error` is a test: should its line ever compile, the directive itself
 * becomes the error. Nothing here runs.
 */

declare function take(...values: readonly unknown[]): void
declare const sealed: Sealed
declare const claims: JsonObject
declare const verified: Verified<JsonObject>
declare const ports: VerifierPorts
declare const policy: Policy
declare const decision: Decision
declare const link: Link

export function claimsOfAnUnopenedToken(): void {
  readCredential(verified, sealed, 'x', subjectShape)
  // @ts-expect-error claims nobody vouched for are not verified
  readCredential(claims, sealed, 'x', subjectShape)
  // @ts-expect-error nor are those of a sealed token
  readCredential(sealed.unverified, sealed, 'x', subjectShape)
  // @ts-expect-error the seal cannot be written by hand
  const forged: Verified<{ a: number }> = { a: 1 }
  // @ts-expect-error a sealed token has no claims
  take(sealed.claims)
  // @ts-expect-error claims cannot be exchanged
  sealed.unverified = claims
  take(forged)
}

declare function without<K extends keyof VerifierPorts>(name: K): Omit<VerifierPorts, K>

export function portsThatMiss(): void {
  createVerifier(policy, ports)
  // @ts-expect-error the port is missing
  createVerifier(policy, without('clock'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('ids'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('keys'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('statusLists'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('listVersions'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('revocations'))
  // @ts-expect-error streams are required
  createVerifier(policy, without('streams'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('chains'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('nonces'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('ledger'))
  // @ts-expect-error the port is missing
  createVerifier(policy, without('audit'))
  // @ts-expect-error a port that is undefined is missing
  createVerifier(policy, { ...ports, revocations: undefined })
}

/** Names of the ports that may be left out: none. A new optional port makes this line an error. */
type OptionalPorts = {
  [K in keyof VerifierPorts]-?: undefined extends VerifierPorts[K] ? K : never
}[keyof VerifierPorts]
export const noOptionalPort: OptionalPorts extends never ? true : false = true
/** The same for a policy. */
type OptionalRules = { [K in keyof Policy]-?: undefined extends Policy[K] ? K : never }[keyof Policy]
export const noOptionalRule: OptionalRules extends never ? true : false = true

export function factsOfAnError(): void {
  take(new ProcuraError('WIDENED_ACTION', { asked: 'a', resource: 'r' }))
  take(new ProcuraError('CHAIN_EMPTY', {}))
  // @ts-expect-error a fact is missing
  take(new ProcuraError('WIDENED_ACTION', { asked: 'a' }))
  // @ts-expect-error all facts are missing
  take(new ProcuraError('WIDENED_ACTION', {}))
  // @ts-expect-error the facts of another code
  take(new ProcuraError('WIDENED_ACTION', { did: 'x' }))
  // @ts-expect-error one fact too many
  take(new ProcuraError('TIME_EXPIRED', { seconds: 1, link: 1 }))
  // @ts-expect-error an object could hold a secret
  take(new ProcuraError('TIME_EXPIRED', { seconds: { key: 'x' } }))
  // @ts-expect-error a code that the table does not have
  take(new ProcuraError('NOPE', {}))
  // @ts-expect-error an error without its facts
  take(new ProcuraError('CHAIN_EMPTY'))
  const facts: Facts<'RATE_LIMITED'> = { max: 1, per: 60 }
  // @ts-expect-error facts do not change
  facts.max = 2
}

export function answersThatAreNotOpened(): void {
  // @ts-expect-error a yes has no kind: ask `allow` first
  take(decision.kind)
  // @ts-expect-error nor is a decision a truth value by another name
  take(decision.allowed)
  if (!decision.allow) take(decision.kind)
}

export function chainsThatAreNone(): void {
  // @ts-expect-error a chain has at least one link
  const empty: Chain = []
  // @ts-expect-error a link is read-only
  link.proved = true
  // @ts-expect-error no check has a default: all that openChain needs is named
  void openChain([sealed], link.key, 60, 'cnf+did', ports.keys)
  // @ts-expect-error a binding that is none
  void openChain([sealed], link.key, 60, 'none', ports.keys, { link: null })
  take(empty)
}

export function callsThatTheServiceWouldRefuse(client: Client): void {
  void client.healthz()
  void client.subjects({ query: { kind: 'agent' } })
  // @ts-expect-error a body that is missing
  void client.grant()
  // @ts-expect-error a member that nobody knows
  void client.commit({ body: { decisionId: 'x', force: true } })
  // @ts-expect-error nobody is named
  void client.suspend({ body: {} })
  // @ts-expect-error a state that is none
  void client.subjects({ query: { state: 'asleep' } })
  // @ts-expect-error an operation that is none
  take(client.impersonate)
}

export async function answersAsDocumented(client: Client): Promise<void> {
  const answer = await client.revoke({ body: { credential: 'x' } })
  // @ts-expect-error only one form of the answer has a list
  take(answer.list)
  if ('list' in answer) take(answer.list)
}
