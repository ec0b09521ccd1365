import { isDid, type Did } from '../did/did.js'
import { isDigest, type Digest } from '../encoding.js'
import { object, oneOf, setOf, text, where, type Shape } from '../shape.js'

/** Who an agent is (profile §3.1). Grants nothing. */
export interface Identity {
  readonly id: Did
  readonly agent: AgentProfile
}

/** How far an agent acts without a person: never, … always. */
export const AUTONOMY = ['L0', 'L1', 'L2', 'L3', 'L4', 'L5'] as const

/** The agent as its operator describes it. */
export interface AgentProfile {
  readonly name: string
  readonly version?: string
  readonly operator: Did
  readonly autonomy: (typeof AUTONOMY)[number]
  readonly risk: 'low' | 'high'
  readonly instance?: string
  readonly software?: readonly { readonly kind: string; readonly digest: Digest }[]
  readonly model?: { readonly provider: string; readonly name: string }
}

/** Type of the identity credential. */
export const IDENTITY = 'AgentIdentityCredential'

const did = where(isDid, 'is not a DID')

/** Reads what is said of an agent. Reports SCHEMA, CAVEAT_UNKNOWN. */
export const agentShape: Shape<AgentProfile> = object(
  {
    name: text(),
    version: { optional: text() },
    operator: did,
    autonomy: oneOf(...AUTONOMY),
    risk: oneOf('low', 'high'),
    instance: { optional: text() },
    software: {
      optional: setOf(object({ kind: text(), digest: where(isDigest, 'is not a digest') }, 'CAVEAT_UNKNOWN'), 1, 16),
    },
    model: { optional: object({ provider: text(), name: text() }, 'CAVEAT_UNKNOWN') },
  },
  'CAVEAT_UNKNOWN',
)

/** Reads `credentialSubject` of an identity credential. Reports SCHEMA, CAVEAT_UNKNOWN. */
export const identityShape: Shape<Identity> = object({ id: did, agent: agentShape }, 'CAVEAT_UNKNOWN')
