import type {
  ICreateVerifiableCredentialArgs,
  IKey,
  IssuerAgentContext,
  IVerifyCredentialArgs,
  IVerifyPresentationArgs,
  IVerifyResult,
  ProofFormat,
  VerifiableCredential,
  VerifiablePresentation,
} from '@veramo/core-types'
import type { ICredentialProvider, ProofFormatQuery, TentativeVerificationQuery } from '@veramo/credential-w3c'
import { ProcuraError, toProcuraError, type Code } from '../../errors.js'
import { isObject, type Json } from '../../json.js'
import type { Policy } from '../../policy/policy.js'
import type { ReceivedRequest } from '../../presentation/request.js'
import { object, read, where } from '../../shape.js'
import { createVerifier, type Verifier, type VerifierPorts } from '../../verifier/verifier.js'
import { holdsOurs, tokenOf } from './provider-document.js'
import { issueCredential } from './provider-issue.js'
import { requireCredential } from './provider-credential.js'

/** What the provider decides by: the policy of this verifier and its view of the world. */
export interface VcJoseOptions {
  readonly policy: Policy
  readonly ports: VerifierPorts
}

/**
 * Lets an agent that calls `agent.verifyCredential` and `agent.verifyPresentation` get the checks of this project.
 *
 * It must stand first in `new CredentialPlugin([…])`: the stock JWT provider claims every string and forgives what is
 * refused here. The arguments `policies`, `resolutionOptions` and the like switch nothing off; they are not read.
 * (The plugin reads one of them: unless `policies.credentialStatus` is false, it hands an object with `credentialStatus`
 * to the agent's status plugin after it was refused here. That can hide our code, never turn it into a yes.)
 */
export class VcJoseProvider implements ICredentialProvider {
  readonly #policy: Policy
  readonly #ports: VerifierPorts
  readonly #verifier: Verifier

  constructor({ policy, ports }: VcJoseOptions) {
    this.#policy = policy
    this.#ports = ports
    this.#verifier = createVerifier(policy, ports)
  }

  /** `vc+jwt` for Ed25519 keys; presentations are made by the wallet. */
  getProofFormatsSupportedForKey(key: IKey): ProofFormat[] {
    return key.type === 'Ed25519' ? ['vc+jwt'] : []
  }

  /** True for `vc+jwt`, and for `vp+jwt` so that its refusal says why. */
  canIssueProofFormat({ proofFormat }: ProofFormatQuery): boolean {
    return proofFormat === 'vc+jwt' || proofFormat === 'vp+jwt'
  }

  /** True for every document that is or holds a token of the profile, or that cannot be read; see {@link holdsOurs}. */
  canVerifyDocumentType({ document }: TentativeVerificationQuery): boolean {
    return holdsOurs(document)
  }

  /**
   * Signs a credential of the profile with a key of the agent.
   *
   * @returns an EnvelopedVerifiableCredential
   * @throws NOT_FOUND, CONFIG_INVALID - `save`, or another proof format - and the codes of step 8 of profile §6
   */
  async createVerifiableCredential(
    args: ICreateVerifiableCredentialArgs,
    context: IssuerAgentContext,
  ): Promise<VerifiableCredential> {
    if (args.proofFormat !== 'vc+jwt') throw unusable('proofFormat', 'a credential is a vc+jwt')
    if (asks(args, 'save')) throw unusable('save', "Veramo's data store has no place for enveloped credentials")
    return issueCredential(args, context, this.#ports)
  }

  /**
   * Refuses: the plugin fails on enveloped credentials before a provider sees them, and a presentation of the profile is
   * bound to one request, which a Veramo payload cannot say.
   *
   * @throws CONFIG_INVALID
   */
  createVerifiablePresentation(): Promise<VerifiablePresentation> {
    return Promise.reject(unusable('proofFormat', 'a vp+jwt is made by the wallet, for one request'))
  }

  /**
   * Answers whether a root credential is authentic, in time and not revoked. Does not say what it allows, or to whom it
   * may be shown: that needs a request. Nothing is fetched for an issuer that is not a root of the policy.
   */
  verifyCredential({ credential }: IVerifyCredentialArgs): Promise<IVerifyResult> {
    return answer(async () => {
      const token = tokenOf(credential, 'vc+jwt')
      const { digest, issuer, subject, validUntil } = await requireCredential(token, this.#policy, this.#ports)
      return { verified: true, digest, issuer, subject, validUntil }
    })
  }

  /**
   * Answers what `decide` answers for the `request` among the arguments (a {@link ReceivedRequest}). Charges budgets and
   * uses the presentation up, as `decide` does.
   */
  verifyPresentation({ presentation, ...asked }: IVerifyPresentationArgs): Promise<IVerifyResult> {
    return answer(async () => {
      const request = requireAsked(asked, this.#policy.self)
      const decision = await this.#verifier.decide(tokenOf(presentation, 'vp+jwt'), request)
      return decision.allow ? { verified: true, decision } : { ...refusal(decision.code, decision.detail), decision }
    })
  }
}

/** Never rejects: whoever reads `verified` alone must find `false` there. */
async function answer(verify: () => Promise<IVerifyResult>): Promise<IVerifyResult> {
  try {
    return await verify()
  } catch (thrown) {
    const { code, message } = toProcuraError(thrown)
    return refusal(code, message)
  }
}

function refusal(errorCode: Code, message: string): IVerifyResult {
  return { verified: false, error: { message, errorCode } }
}

function asks(args: Readonly<Record<string, unknown>>, name: string): boolean {
  return Boolean(args[name])
}

function unusable(at: string, why: string): ProcuraError {
  return new ProcuraError('CONFIG_INVALID', { at, why })
}

const anyText = where((value): value is string => typeof value === 'string', 'is not a string')

const receivedShape = object({
  method: anyText,
  url: anyText,
  bodyDigest: where(
    (value): value is string | null => value === null || typeof value === 'string',
    'is not a string or null',
  ),
  action: anyText,
  resource: anyText,
  params: where(isObject, 'is not an object'),
  approval: { optional: anyText },
})

/** The request; a `challenge` or another `domain` asks for a check that the policy makes, or does not make at all. */
function requireAsked(asked: Omit<IVerifyPresentationArgs, 'presentation'>, self: string): ReceivedRequest {
  const { domain, challenge, request } = asked as Readonly<Record<string, Json | undefined>>
  if (domain !== undefined && domain !== self) throw new ProcuraError('PRESENTATION_AUDIENCE', { at: 'domain', self })
  if (challenge !== undefined) {
    throw new ProcuraError('SCHEMA', { at: 'challenge', why: 'is not read: the policy asks for nonces' })
  }
  return read(receivedShape, request, 'request')
}
