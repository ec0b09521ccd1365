export { ERRORS, isProcuraError, ProcuraError, type Code, type Facts, type Kind } from './errors.js'
export type { Did, DidUrl } from './did/did.js'
export { toDidKey, fromDidKey } from './did/key.js'
export { parsePublicKey, type PublicKey } from './ed25519.js'
export { digestOf, type Digest } from './encoding.js'
export { canonicalize, type Json, type JsonObject } from './json.js'
export { openJws, readJws, signJws, type Sealed, type Signer, type Verified } from './jws/compact.js'
export type { Authority, AuthorityDraft, GrantJson, StatusIssuer } from './authority/authority.js'
export type { Budget, Rate } from './authority/budget.js'
export type { Constraint, Scalar } from './authority/constraint.js'
export type { Call, Grant } from './authority/grant.js'
export { parsePolicy, type Policy, type PolicyGrant, type Root } from './policy/policy.js'
export type { Risk } from './policy/risk.js'
export { bodyDigest, paramsDigest, type ReceivedRequest } from './presentation/request.js'
export {
  createVerifier,
  type Commitment,
  type Decision,
  type Evidence,
  type LocalVerifier,
  type Verifier,
  type VerifierPorts,
} from './verifier/verifier.js'
export { createIssuer, type GrantRequest, type Issuer, type IssuerPorts, type Revoked } from './issuer/issuer.js'
export {
  createRegistrar,
  type Caller,
  type Registrar,
  type RegistrarPorts,
  type Registration,
} from './registrar/registrar.js'
export { parseIssuingPolicy, type AgentClass, type Class, type IssuingPolicy } from './policy/issuing.js'
export { createWallet, type Agent, type Delegation, type Held, type Wallet, type WalletPorts } from './wallet/wallet.js'
export type * from './ports/deciding.js'
export type * from './ports/holding.js'
export type * from './ports/issuing.js'
export type * from './ports/keys.js'
export type * from './ports/register.js'
export type * from './ports/world.js'
