import { URN_UUID } from '../credential/credential.js'
import { isDid, type Did } from '../did/did.js'
import { isDigest, isS256, type Digest } from '../encoding.js'
import type { Json } from '../json.js'
import { also, integer, object, setOf, text, where, type Shape } from '../shape.js'
import { budgetShape, checkBudgets, rateShape, type Budget, type Rate } from './budget.js'
import type { Constraint } from './constraint.js'
import { grantsShape, toGrantJson, type Grant } from './grant.js'

/** Who publishes status lists, and below which URL. */
export interface StatusIssuer {
  readonly iss: Did
  /** https URL that ends in `/` */
  readonly base: string
}

/** The `authority` object of a capability or delegation (profile §3.2, §3.3). It does not know its envelope. */
export interface Authority {
  readonly v: 1
  /** links above this one */
  readonly hop: number
  /** links that may follow */
  readonly more: number
  readonly audience: readonly string[]
  readonly grants: readonly Grant[]
  readonly budgets?: readonly Budget[]
  readonly rate?: Rate
  readonly purpose?: { readonly s256: string; readonly ref?: string }
  /** the accountable principal; only a root names one */
  readonly onBehalfOf?: string
  /** who may receive it further down: exact DIDs, or prefixes that end in `:**` */
  readonly to?: readonly string[]
  /** only a root names them */
  readonly statusIssuers?: readonly StatusIssuer[]
  readonly parent?: { readonly id: string; readonly digest: Digest }
}

const MAX_HOPS = 16
const BASE = /^https:\/\/[A-Za-z0-9.-]+(?::[0-9]{1,5})?\/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]+\/)*$/
const RECIPIENTS = /^did:[a-z0-9]+(?::[A-Za-z0-9._%-]+)*:\*\*$/

const did = where(isDid, 'is not a DID')
const recipient = where(
  (value): value is string =>
    isDid(value) || (typeof value === 'string' && value.length <= 512 && RECIPIENTS.test(value)),
  'is neither a DID nor a prefix that ends in :**',
)
const statusIssuer = object({ iss: did, base: where(isBase, 'is not an https URL that ends in /') }, 'CAVEAT_UNKNOWN')

function isBase(value: Json): value is string {
  return typeof value === 'string' && value.length <= 512 && BASE.test(value) && !/\/\.{1,2}\//.test(value)
}

const members = {
  v: where((value): value is 1 => value === 1, 'is not 1'),
  hop: integer(0, MAX_HOPS),
  more: integer(0, MAX_HOPS),
  audience: setOf(text(), 1, 8),
  grants: grantsShape,
  budgets: { optional: setOf(budgetShape, 1, 8) },
  rate: { optional: rateShape },
  purpose: {
    optional: object({ s256: where(isS256, 'is not a SHA-256'), ref: { optional: text() } }, 'CAVEAT_UNKNOWN'),
  },
  onBehalfOf: { optional: text(/^(?:did|urn|https):/) },
  to: { optional: setOf(recipient, 1, 64) },
  statusIssuers: { optional: setOf(statusIssuer, 1, 8) },
  parent: {
    optional: object({ id: text(URN_UUID), digest: where(isDigest, 'is not a credential digest') }, 'CAVEAT_UNKNOWN'),
  },
}

/** Reads an authority. Reports SCHEMA, CAVEAT_UNKNOWN, RESOURCE_SYNTAX, BUDGET_METER, BUDGET_AUDIENCE. */
export const authorityShape: Shape<Authority> = also(object(members, 'CAVEAT_UNKNOWN'), (value, at, report) => {
  checkBudgets(value.budgets ?? [], value.grants, value.audience.length, `${at}.budgets`, report)
})

/** A grant as JSON writes it. */
export interface GrantJson extends Omit<Grant, 'args' | 'resource'> {
  /** a resource, or one followed by `/**` */
  readonly resource: string
  readonly args?: Readonly<Record<string, Constraint>>
}

/** What a person asks to be granted or handed on; the rest of an authority follows from its place in the chain. */
export interface AuthorityDraft extends Omit<Authority, 'v' | 'hop' | 'more' | 'parent' | 'statusIssuers' | 'grants'> {
  readonly grants: readonly GrantJson[]
  /** hops that may follow; 0 if left out */
  readonly more?: number
}

/** Writes an authority as JSON. */
export function toAuthorityJson(authority: Authority): Json {
  return { ...authority, grants: authority.grants.map(toGrantJson) } as unknown as Json
}

/**
 * True if a list of recipients names the subject. A did:web name counts only where its key is proved (profile §4.3).
 *
 * @param proved - the subject's key was found in its DID document, or the DID is the key
 */
export function isRecipient(to: readonly string[], subject: Did, proved: boolean): boolean {
  return (
    proved && to.some(entry => (entry.endsWith(':**') ? subject.startsWith(entry.slice(0, -2)) : entry === subject))
  )
}
