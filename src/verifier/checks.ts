import type { Call, Grant } from '../authority/grant.js'
import { requireAllowed } from '../authority/grant.js'
import type { Chain, Progress } from '../delegation/chain.js'
import type { Step } from './decision.js'
import type { PublicKey } from '../ed25519.js'
import { ProcuraError } from '../errors.js'
import type { Sealed } from '../jws/compact.js'
import type { Policy, PolicyGrant, Root } from '../policy/policy.js'
import type { Demands } from '../policy/risk.js'
import type { Chains, Keys, Nonces, Use } from '../ports/deciding.js'
import {
  readPresentation,
  readReference,
  readTokens,
  type Presentation,
  type Recall,
  type SealedPresentation,
  type SignedRequest,
} from '../presentation/presentation.js'
import { SKEW } from '../time.js'

/** What a caller shows: a `vp+jwt`, or an `agent-proof+jwt` that names a chain uploaded before. */
export type Shown = string | { readonly proof: string }

/**
 * The frame of what is shown, and the chain it carries or names: steps 1 to 5.
 *
 * @throws the codes of steps 1–4, CHAIN_UNKNOWN
 */
export async function readShown(
  shown: Shown,
  { maxChain }: Policy,
  chains: Chains,
  progress: { step: Step },
  recall?: Recall,
): Promise<SealedPresentation> {
  progress.step = 4
  if (typeof shown === 'string') return readPresentation(shown, maxChain, recall)
  if (!isReference(shown)) throw new ProcuraError('JWS_FORMAT', { why: 'neither a token nor a proof' })
  const { sealed, leaf, identities } = readReference(shown.proof, maxChain)
  progress.step = 5
  const tokens = await chains.find(leaf)
  if (tokens === null) throw new ProcuraError('CHAIN_UNKNOWN', { leaf })
  return { sealed, credentials: readTokens(tokens, maxChain, recall), identities }
}

/** Callers without types hand over anything. */
function isReference(shown: unknown): shown is { readonly proof: string } {
  return typeof shown === 'object' && shown !== null && 'proof' in shown && typeof shown.proof === 'string'
}

/** The policy's root that the chain claims to start from: step 6, before any network access. @throws ROOT_UNTRUSTED */
export function requireTrustedRoot({ signer }: Sealed, policy: Policy): Root {
  const root = policy.roots.get(signer)
  if (root === undefined) throw new ProcuraError('ROOT_UNTRUSTED', { root: signer })
  return root
}

/**
 * The key that signed the root: from the policy if it states keys, else resolved. Step 7 but for the signature.
 *
 * @throws DID_RESOLUTION, DID_METHOD, DID_FORBIDDEN_HOST, KEY_NOT_AUTHORIZED, KEY_WEAK
 */
export async function requireRootKey(sealed: Sealed, policy: Policy, keys: Keys): Promise<PublicKey> {
  const key = await findKey(sealed, policy, keys)
  if (key === null) throw new ProcuraError('KEY_NOT_AUTHORIZED', { kid: sealed.kid, purpose: 'assertionMethod' })
  return key
}

/** The key that signed a root, a list or an approval: of a root with keys in the policy, from there alone. */
export async function findKey({ kid, signer }: Sealed, { roots }: Policy, keys: Keys): Promise<PublicKey | null> {
  const stated = roots.get(signer)?.keys ?? null
  return stated === null ? keys.find(kid, 'assertionMethod') : (stated.get(kid) ?? null)
}

/** The presentation and every link are meant for this verifier: step 12. @throws PRESENTATION_AUDIENCE */
export function requireAudience(aud: string, chain: Chain, self: string, progress: Progress): void {
  if (aud !== self) throw new ProcuraError('PRESENTATION_AUDIENCE', { at: 'aud', self })
  for (const [index, { claims }] of chain.entries()) {
    progress.link = index
    if (!claims.authority.audience.includes(self))
      throw new ProcuraError('PRESENTATION_AUDIENCE', { at: 'audience', self })
  }
  progress.link = null
}

/** A nonce of this verifier, used once, where the policy challenges: step 14. @throws PRESENTATION_NONCE */
export async function requireNonce(
  nonce: string | undefined,
  { challenge }: Demands,
  { self }: Policy,
  nonces: Nonces,
): Promise<void> {
  if (!challenge) return
  if (nonce === undefined || !(await nonces.consume(self, nonce))) throw new ProcuraError('PRESENTATION_NONCE', {})
}

/** Grants that allowed a call. */
export interface Allowing {
  readonly policy: readonly PolicyGrant[]
  readonly links: readonly Grant[]
}

/**
 * The policy allows the call, and so does every link: step 16.
 *
 * @throws DENIED_RESOURCE, DENIED_ACTION, DENIED_ARG, DENIED_ARG_UNKNOWN, DENIED_ARG_MISSING
 */
export function requireEveryLinkAllows(
  root: Root,
  chain: Chain,
  call: Call,
  progress: Progress & { audited: readonly string[] },
): Allowing {
  progress.link = -1
  const policy = requireAllowed(root.grants, call)
  progress.audited = policy.flatMap(({ audit = [] }) => audit)
  const links = chain.flatMap(({ claims }, index) => {
    progress.link = index
    return requireAllowed(claims.authority.grants, call)
  })
  progress.link = null
  return { policy, links }
}

/** Names one use of a token: `jti` once per key, remembered until it could not be accepted any more. */
export function useOf({ jti, iat, exp }: Pick<Presentation, 'jti' | 'iat' | 'exp'>, key: PublicKey): Use {
  return { key: `${key.x}:${jti}`, issuedAt: iat, until: exp + SKEW }
}

/** The request says what told the agent to make it, where the policy asks: step 16. @throws PROVENANCE_MISSING, PROVENANCE_UNTRUSTED */
export function requireProvenance({ provenance }: SignedRequest, policy: Policy): void {
  if (policy.provenance === 'none') return
  if (provenance === undefined) throw new ProcuraError('PROVENANCE_MISSING', {})
  if (policy.provenance === 'required') return
  const trusted = policy.provenance
  const foreign = provenance.find(({ source }) => !trusted.includes(source))
  if (foreign !== undefined) throw new ProcuraError('PROVENANCE_UNTRUSTED', { source: foreign.source })
}

/**
 * What the policy wants asked again at the commit point is reserved: step 16. Without a reservation there would be none.
 *
 * @throws COMMIT_REQUIRED
 */
export function requireReserved(reserve: boolean, { commit }: Demands, { action }: Call): void {
  if (commit && !reserve) throw new ProcuraError('COMMIT_REQUIRED', { action })
}
