import type { Chain, Opening } from '../delegation/chain.js'
import { nearest } from '../delegation/narrowing.js'
import type { Did } from '../did/did.js'
import { s256, type Digest } from '../encoding.js'
import type { Code, Kind, ProcuraError } from '../errors.js'
import { canonicalize, requireShallow, type Json, type JsonObject } from '../json.js'
import type { Sealed } from '../jws/compact.js'
import type { Policy } from '../policy/policy.js'
import type { Demands } from '../policy/risk.js'
import type { ApprovalRequest } from '../presentation/approval.js'
import { MAX_PARAMS_DEPTH, paramsDigest, type ReceivedRequest } from '../presentation/request.js'
import type { UnixSeconds } from '../time.js'
import type { Approved } from './approved.js'
import type { Watch } from './live.js'

/** What a decision knows; `null` for what was not verified before it was refused. */
export interface Evidence {
  readonly decisionId: string
  readonly policyVersion: string
  readonly at: UnixSeconds
  /** who presents */
  readonly holder: Did | null
  /** who rooted the authority */
  readonly root: Did | null
  /** the accountable principal */
  readonly onBehalfOf: string | null
  /** subjects, root → leaf */
  readonly path: readonly Did[]
  /** names in the path whose keys nobody vouched for: did:web under `subjectKeyBinding: "cnf"` */
  readonly unproved: readonly Did[]
  /** the same as RFC 8693 §4.1 nests it: the actor, and before it those who acted for the one before */
  readonly act: Actor | null
  /** credentials, root → leaf */
  readonly digests: readonly Digest[]
  /** SHA-256 of the mission the chain was made for */
  readonly purpose: string | null
  /** the earliest end of the chain */
  readonly validUntil: UnixSeconds | null
  /** seconds since the host of the oldest status list answered; `null` if no link has one */
  readonly statusAge: number | null
  /** identity credentials that the policy relied on */
  readonly identities: readonly Digest[]
  /** who approved this one call, where a grant asks for it */
  readonly approvedBy: Approved['by'] | null
}

/** @see https://www.rfc-editor.org/rfc/rfc8693#section-4.1 */
export interface Actor {
  readonly sub: Did
  readonly act?: Actor
}

/** The answer to one request. */
export type Decision = Evidence &
  (
    | {
        readonly allow: true
        readonly code: null
        readonly link: null
        /** the end of the reservation, where one was asked for: commit or release before it */
        readonly reservedUntil: UnixSeconds | null
      }
    | {
        readonly allow: false
        readonly code: Code
        readonly kind: Kind
        /** one sentence with the facts */
        readonly detail: string
        /** index of the link that refused, −1 for the policy, `null` if none in particular */
        readonly link: number | null
        /** what has to be approved, where the code is APPROVAL_REQUIRED */
        readonly approval: ApprovalRequest | null
        /** false: the caller proved nothing and may learn only the kind of the refusal (and CHAIN_UNKNOWN) */
        readonly disclose: boolean
      }
  )

/** The last row of profile §6 that a line of `decide` stands for. */
export type Step = 4 | 5 | 6 | 7 | 10 | 11 | 12 | 13 | 14 | 15 | 16 | 17 | 18 | 19

/** How far a decision has come. */
export interface Known extends Opening, Watch {
  step: Step
  now: UnixSeconds
  decisionId: string
  /** what the policy asks of the call; `null` before it was looked at */
  demands: Demands | null
  /** root first; nothing in them is verified */
  presented: readonly Pick<Sealed, 'digest' | 'kid'>[]
  chain: Chain | null
  authenticated: boolean
  identities: readonly Digest[]
  approval: ApprovalRequest | null
  approvedBy: Approved['by'] | null
  /** arguments whose values the log keeps */
  audited: readonly string[]
  /** what the agent says told it to make this call */
  provenance: readonly { readonly source: string; readonly s256: string }[]
}

/** Nothing is known yet. */
export function nothingKnown(): Known {
  return {
    step: 4,
    now: 0,
    decisionId: '',
    demands: null,
    link: null,
    opened: [],
    live: [],
    presented: [],
    chain: null,
    authenticated: false,
    identities: [],
    approval: null,
    approvedBy: null,
    audited: [],
    provenance: [],
  }
}

/** What a decision tells of a chain alone. */
type Told = Pick<Evidence, 'root' | 'onBehalfOf' | 'path' | 'unproved' | 'act' | 'digests' | 'purpose' | 'validUntil'>

const NOTHING_TOLD: Told = toldOf([])
/** Worked out once for a chain that is remembered, and frozen because decisions share it. */
const told = new WeakMap<Chain, Told>()

function toldOf(chain: Chain | readonly []): Told {
  const authorities = chain.map(link => link.claims.authority)
  const path = Object.freeze(chain.map(link => link.subject))
  return {
    root: chain[0]?.issuer ?? null,
    onBehalfOf: nearest(authorities, 'onBehalfOf') ?? null,
    path,
    unproved: Object.freeze(chain.filter(link => !link.proved).map(link => link.subject)),
    act: path.reduce<Actor | null>((act, sub) => Object.freeze(act === null ? { sub } : { sub, act }), null),
    digests: Object.freeze(chain.map(link => link.digest)),
    purpose: nearest(authorities, 'purpose')?.s256 ?? null,
    validUntil: chain.length === 0 ? null : Math.min(...chain.map(link => link.validUntil)),
  }
}

function toldOnce(chain: Chain | null): Told {
  if (chain === null) return NOTHING_TOLD
  const found = told.get(chain) ?? toldOf(chain)
  told.set(chain, found)
  return found
}

/** What is known, as a decision tells it. */
export function evidence(known: Known, policy: Policy): Evidence {
  const { root, onBehalfOf, path, unproved, act, digests, purpose, validUntil } = toldOnce(known.chain)
  let statusAge: number | null = null
  for (const { age } of known.live) if (age !== null) statusAge = Math.max(statusAge ?? 0, age)
  return {
    decisionId: known.decisionId,
    policyVersion: policy.version,
    at: known.now,
    holder: known.authenticated ? (path.at(-1) ?? null) : null,
    root,
    onBehalfOf,
    path,
    unproved,
    act,
    digests,
    purpose,
    validUntil,
    statusAge,
    identities: known.identities,
    approvedBy: known.approvedBy,
  }
}

/** The refusal of what was thrown, with what was known until then. */
export function refusal(error: ProcuraError, known: Known, policy: Policy): Decision {
  const { code, kind, message: detail } = error
  const { link, authenticated: disclose } = known
  const approval = code === 'APPROVAL_REQUIRED' ? known.approval : null
  return { ...evidence(known, policy), allow: false, code, kind, detail, link, approval, disclose }
}

/**
 * A decision for the log: digests of parameters and query, never a token, and no values but of the arguments that the
 * policy's grant lists under `audit`. With it what only the log needs: the risk of the action, the versions of the status
 * lists that were relied on, what told the agent to make the call, and the trace it belongs to.
 */
export function recordOf(
  decision: Decision,
  received: ReceivedRequest,
  {
    audited,
    demands,
    live,
    provenance,
    approval,
  }: Pick<Known, 'audited' | 'demands' | 'live' | 'provenance' | 'approval'>,
): object {
  const shown =
    decision.allow || decision.approval === null ? {} : { approval: { ...decision.approval, display: null } }
  // callers without types hand over anything; what it was not is on record as null
  const { method, url, action, resource, params, traceparent } = { ...received }
  const [path = null, ...query] = textOf(url)?.split('?') ?? []
  const asked = {
    method: textOf(method),
    url: path,
    ...(query.length === 0 ? {} : { queryDigest: s256(query.join('?')) }),
    action: textOf(action),
    resource: textOf(resource),
  }
  const args = audited.flatMap((name): [string, Json][] => {
    const value = Object.hasOwn(params, name) ? params[name] : undefined
    return value === undefined ? [] : [[name, kept(canonicalize(value))]]
  })
  const lists = new Map(live.flatMap(one => one.lists).map(({ url, version }) => [url, version]))
  const beside = {
    paramsDigest: approval?.paramsDigest ?? digestOfParams(params),
    risk: demands?.risk ?? null,
    statusLists: [...lists].map(([list, version]) => ({ list, version })),
    ...(provenance.length === 0 ? {} : { provenance }),
    ...(args.length === 0 ? {} : { args: Object.fromEntries(args) }),
    correlationId: traceOf(traceparent),
  }
  return { type: 'decision', ...decision, ...shown, ...asked, ...beside }
}

/** Characters of a value that the log keeps; of a longer one it keeps the digest. */
const MAX_KEPT = 2048

function kept(canonical: string): Json {
  return canonical.length > MAX_KEPT ? { s256: s256(canonical) } : (JSON.parse(canonical) as Json)
}

/** The trace that a `traceparent` names, or `null`. @see https://www.w3.org/TR/trace-context/#traceparent-header-field-values */
export function traceOf(traceparent: unknown): string | null {
  const [, trace] =
    /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(textOf(traceparent) ?? '') ?? []
  return trace ?? null
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** `null` where the server's own parameters are too deep or have no canonical form: the refusal says so already. */
function digestOfParams(params: JsonObject): string | null {
  try {
    requireShallow(params, 'params', MAX_PARAMS_DEPTH)
    return paramsDigest(params)
  } catch {
    return null
  }
}
