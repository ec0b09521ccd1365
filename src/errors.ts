/** What a refusal means for the caller. Edges map kinds to HTTP statuses and exit codes, never single codes. */
export type Kind =
  'malformed' | 'unauthenticated' | 'forbidden' | 'unknown' | 'conflict' | 'limited' | 'unavailable' | 'misconfigured'

/**
 * Every refusal of the system: code → kind, message (typed facts in braces), what the caller does next.
 * The rows stand in the order in which verification can meet them (profile §6); README lists them by generation.
 */
export const ERRORS = {
  // 1–3: the token's form
  INPUT_TOO_LARGE: ['malformed', '{what} has {size} characters, at most {max} are allowed', 'send less'],
  JWS_FORMAT: ['malformed', 'not a compact JWS: {why}', 'send three base64url segments and a 64-byte signature'],
  JWS_BASE64: ['malformed', '{what} is not canonical base64url', 'encode without padding and with zero trailing bits'],
  JSON_SYNTAX: ['malformed', '{what} is not UTF-8 JSON: {why}', 'send well-formed JSON'],
  JSON_DEPTH: ['malformed', '{what} nests deeper than {max} levels', 'flatten the value'],
  JSON_NOT_CANONICAL: [
    'malformed',
    '{what} is not in its RFC 8785 form: {why}',
    'serialise with JCS; use safe integers only',
  ],
  JWS_CRIT: ['malformed', 'the header asks for extensions (crit)', 'leave crit out'],
  JWS_HEADER: ['malformed', 'header member {member} is not allowed', 'send alg, typ, kid and at most the fitting cty'],
  JWS_ALG: ['malformed', 'alg {alg} is not accepted', 'sign with EdDSA over Ed25519'],
  JWS_TYP: ['malformed', 'typ is {typ}, {expected} is due here', 'send the right token to the right place'],
  JWS_KID: ['malformed', 'kid {kid} is not an absolute DID URL with a fragment', 'name the key as did:…#…'],
  // 4–5: the presentation's frame
  SCHEMA: ['malformed', '{at} {why}', 'correct the named member'],
  CAVEAT_UNKNOWN: [
    'malformed',
    '{at} is not understood, so it cannot be honoured',
    'use members and operators of profile v1',
  ],
  CREDENTIAL_CONTEXT: [
    'malformed',
    '{at} is not exactly the two contexts of the profile',
    'use the two contexts, in order',
  ],
  CREDENTIAL_TYPE: ['malformed', '{at} must be {expected}', 'present each credential in its own place'],
  CHAIN_EMPTY: ['malformed', 'the presentation holds no credential', 'present the whole chain, root first'],
  CHAIN_TOO_LONG: ['malformed', 'the chain has {length} links, at most {max} are allowed', 'delegate over fewer hops'],
  CHAIN_ENVELOPE: [
    'malformed',
    '{at} is not a data URL of a vc+jwt',
    'envelope each credential as data:application/vc+jwt,…',
  ],
  CHAIN_DUPLICATE: ['malformed', 'links {first} and {second} are the same credential', 'present each credential once'],
  CHAIN_UNKNOWN: ['unauthenticated', 'no chain with leaf {leaf} is known here', 'upload the chain, then retry once'],
  // 6–7: the root
  ROOT_UNTRUSTED: [
    'unauthenticated',
    '{root} is not a root of this verifier',
    'get authority from a root the resource trusts',
  ],
  DID_METHOD: ['unauthenticated', 'DID method of {did} is not supported', 'use did:key or did:web'],
  DID_FORBIDDEN_HOST: [
    'unauthenticated',
    '{host} is not a host this verifier may ask',
    'host the DID document publicly',
  ],
  DID_RESOLUTION: ['unavailable', '{did} cannot be resolved: {why}', 'retry later; check the DID document'],
  KEY_NOT_AUTHORIZED: ['unauthenticated', '{kid} is not listed under {purpose}', 'sign with a listed key'],
  SIGNATURE_INVALID: [
    'unauthenticated',
    'the signature does not verify with {by}',
    'sign with the key of the previous link',
  ],
  // 8: a link's shape
  CREDENTIAL_ISSUER: ['malformed', 'iss is {iss}, issuer is {issuer}', 'set both to the same DID'],
  CREDENTIAL_SUBJECT: ['malformed', 'sub is {sub}, credentialSubject.id is {subject}', 'set both to the same DID'],
  TIME_FORMAT: [
    'malformed',
    '{at} is not a time of the form this profile uses',
    'write YYYY-MM-DDTHH:MM:SSZ, or whole seconds',
  ],
  TIME_CONFLICT: [
    'malformed',
    'times contradict each other: {why}',
    'exp equals validUntil; iat ≤ validFrom < validUntil',
  ],
  RESOURCE_SYNTAX: [
    'malformed',
    '{at} is not a canonical resource',
    'write https://host/path without %, ;, dots or a trailing /',
  ],
  BUDGET_METER: ['malformed', '{at}: {why}', 'make the metered argument req, ≥ 0 and its unit fixed by eq'],
  BUDGET_AUDIENCE: ['malformed', 'a credential with budgets names {count} audiences', 'name exactly one audience'],
  KEY_PRIVATE: ['unauthenticated', '{at} holds a private key', 'treat the key as lost; never send private members'],
  KEY_WEAK: ['unauthenticated', '{at} is an Ed25519 key of small order or not canonical', 'make a new key'],
  KEY_BINDING: [
    'unauthenticated',
    'cnf is not a {purpose} key of {did}',
    'bind the credential to a key of its subject',
  ],
  JWS_KID_MISMATCH: ['unauthenticated', 'kid belongs to {kid}, the issuer is {issuer}', 'name a key of the issuer'],
  // 9–10: root rules, narrowing
  PARENT_UNEXPECTED: ['forbidden', 'a root names a parent', 'leave parent out of a root'],
  PARENT_MISSING: ['forbidden', 'a delegation names no parent', 'name the parent by id and digest'],
  PARENT_MISMATCH: ['forbidden', 'parent is {named}, the link above is {actual}', 'present the chain in order'],
  DELEGATION_BROKEN: [
    'forbidden',
    'issued by {issuer}, but the link above is held by {holder}',
    'delegate as the holder',
  ],
  DELEGATION_TO_SELF: ['forbidden', 'the link hands on to the same key', 'delegate to another key'],
  DEPTH_COUNTER: ['forbidden', 'hop is {hop}, {expected} is due', 'count hops from 0'],
  DEPTH_EXCEEDED: ['forbidden', 'more is {more}, the link above leaves {left}', 'delegate less deep'],
  TIME_LIFETIME: ['unauthenticated', 'the root lives {seconds} s, at most {max} s are trusted', 'issue shorter roots'],
  WIDENED_TIME: ['forbidden', '{at} lies outside the link above', "stay within the parent's window"],
  WIDENED_AUDIENCE: ['forbidden', 'audience {asked} is not in the link above', 'name fewer audiences'],
  WIDENED_RESOURCE: ['forbidden', 'resource {asked} is not under any grant above', 'select at or below a parent grant'],
  WIDENED_ACTION: ['forbidden', 'action {asked} is not in the grant above for {resource}', 'name fewer actions'],
  WIDENED_ARGS: ['forbidden', 'arguments are wider than above: {why}', 'restate every constraint at least as tight'],
  WIDENED_APPROVAL: ['forbidden', 'perCall is dropped for {resource}', 'keep perCall'],
  WIDENED_BUDGET: [
    'forbidden',
    'budget of {unit} is {asked}, above it is {granted}',
    "keep max and decimals within the parent's",
  ],
  WIDENED_RATE: ['forbidden', 'rate is {asked}, above it is {granted}', "keep max ≤ and per ≥ the parent's"],
  WIDENED_PURPOSE: ['forbidden', 'purpose differs from the one above', 'keep the purpose'],
  WIDENED_PRINCIPAL: [
    'forbidden',
    'onBehalfOf is {asked}, above it is {granted}',
    'keep the principal; only a root names one',
  ],
  WIDENED_STATUS: ['forbidden', 'status issuer {asked} is not named above', 'name fewer; only a root introduces them'],
  DELEGATE_NOT_ALLOWED: ['forbidden', '{did} may not receive this authority', 'delegate to a DID that `to` names'],
  // 11–15: the presentation and its request
  PRESENTATION_HOLDER: [
    'unauthenticated',
    "holder, iss, kid and the leaf's subject differ",
    "present as the leaf's subject",
  ],
  PRESENTATION_AUDIENCE: ['unauthenticated', '{at} does not name {self}', 'present to the verifier it is meant for'],
  PRESENTATION_LIFETIME: [
    'unauthenticated',
    'the presentation lives {seconds} s, 1 to {max} are accepted',
    'sign a short one per request',
  ],
  TIME_NOT_YET_VALID: ['unauthenticated', '{at} lies {seconds} s ahead', 'check the clock, then retry'],
  PRESENTATION_EXPIRED: ['unauthenticated', 'the presentation expired {seconds} s ago', 'sign a new one'],
  TIME_EXPIRED: ['unauthenticated', 'expired {seconds} s ago', 'get a new credential'],
  PRESENTATION_NONCE: [
    'unauthenticated',
    'nonce is missing, unknown or used',
    "put the challenge's nonce into a new presentation",
  ],
  REQUEST_METHOD: ['unauthenticated', 'signed for {signed}, received {received}', 'sign the request that is sent'],
  REQUEST_URL: ['unauthenticated', 'signed for another URL than was received', 'sign the whole target URI'],
  REQUEST_BODY: ['unauthenticated', 'the body is not the one that was signed', 'sign the bytes that are sent'],
  REQUEST_ACTION: [
    'unauthenticated',
    'signed for {signed}, the server is about to do {received}',
    'sign the action and resource the server names',
  ],
  REQUEST_PARAMS: [
    'unauthenticated',
    'the parameters are not the ones that were signed',
    'sign the parameters the server derives',
  ],
  REQUEST_PURPOSE: [
    'unauthenticated',
    'the request states another purpose than the chain',
    'state the purpose of the grant',
  ],
  // 16: does everything allow it
  DENIED_RESOURCE: ['forbidden', 'no grant covers {resource}', 'ask for a grant on that resource'],
  DENIED_ACTION: ['forbidden', 'no grant on the resource allows {action}', 'ask for that action'],
  DENIED_ARG: ['forbidden', 'argument {name} is outside what is granted', 'stay within the constraint'],
  DENIED_ARG_UNKNOWN: ['forbidden', 'argument {name} is not granted', 'leave it out'],
  DENIED_ARG_MISSING: ['forbidden', 'argument {name} is required', 'supply it'],
  IDENTITY_REQUIRED: ['forbidden', 'the policy wants an identity credential for {did}', 'add it to the presentation'],
  IDENTITY_INVALID: [
    'forbidden',
    'an identity credential does not hold: {why}',
    'present a valid one of a trusted issuer',
  ],
  PROVENANCE_MISSING: [
    'forbidden',
    "the policy wants the request's provenance",
    'state what told the agent to make this call',
  ],
  PROVENANCE_UNTRUSTED: [
    'forbidden',
    'provenance names {source}, which is not trusted here',
    'act on trusted instructions only',
  ],
  COMMIT_REQUIRED: [
    'misconfigured',
    'the policy wants {action} reserved, and committed right before its effect',
    'decide with reserve, then commit',
  ],
  // 17: is it still true
  AGENT_KILLED: ['unauthenticated', '{did} was stopped', 'the agent is out of service'],
  STATUS_MISSING: [
    'malformed',
    'a credential of {seconds} s carries no usable revocation entry',
    'add one, or live at most 300 s',
  ],
  STATUS_TYPE: ['malformed', 'status entry: {why}', 'use a BitstringStatusListEntry of size 1'],
  STATUS_PURPOSE: ['unavailable', 'status purpose {purpose} is not the one due', 'publish one list per purpose'],
  STATUS_INDEX: [
    'malformed',
    'status index {index} is not an index of a list of {length} bits',
    'use the index that was allocated',
  ],
  STATUS_URL: ['malformed', '{url} is not a list of a status issuer in force', "use a list below the issuer's base"],
  STATUS_UNAVAILABLE: ['unavailable', 'list {list} cannot be had: {why}', 'retry later'],
  STATUS_ISSUER: ['unavailable', 'list {list}: {why}', 'the host serves another list; alert its operator'],
  STATUS_SIGNATURE: ['unavailable', 'list {list} does not verify: {why}', "alert the list's operator"],
  STATUS_EXPIRED: ['unavailable', 'list {list} is not valid now', 'retry when it was published anew'],
  STATUS_STALE: [
    'unavailable',
    'list {list} is {age} s old, at most {max} s are allowed',
    'retry when it was fetched anew',
  ],
  STATUS_ROLLBACK: ['unavailable', 'list {list} has version {version}, {seen} was seen', "alert the list's operator"],
  STATUS_ENCODING: ['unavailable', 'list {list} is not one gzip member in multibase u', "alert the list's operator"],
  STATUS_SIZE: ['unavailable', 'list {list} unpacks to more than {max} bytes', 'publish smaller lists'],
  STATUS_LENGTH: ['unavailable', 'list {list} has {length} bits, at least {min} are due', 'publish the whole list'],
  STATUS_REVOKED: ['unauthenticated', 'revoked (bit {index} of {list})', 'ask the issuer for a new credential'],
  STATUS_SUSPENDED: ['unauthenticated', 'suspended (bit {index} of {list})', 'wait until it is resumed'],
  APPROVAL_REQUIRED: [
    'forbidden',
    'each call needs an approval of parameters {paramsDigest}',
    'have an approver sign, then retry',
  ],
  APPROVAL_INVALID: ['forbidden', 'the approval does not hold: {why}', 'get an approval for exactly this call'],
  // 18–19: once, within budget, on record
  PRESENTATION_REPLAYED: ['unauthenticated', 'the presentation was used before', 'sign a new one per request'],
  REPLAY_UNAVAILABLE: ['unavailable', 'uniqueness cannot be checked: {why}', 'retry later'],
  RATE_LIMITED: ['limited', 'more than {max} calls in {per} s', 'retry after the window'],
  BUDGET_EXHAUSTED: ['forbidden', 'budget of {max} {unit} does not cover the call', 'ask for more budget'],
  LEDGER_UNAVAILABLE: ['unavailable', 'budgets cannot be charged: {why}', 'retry later; configure a ledger'],
  AUDIT_UNAVAILABLE: ['unavailable', 'it cannot be put on record: {why}', 'retry later; look at the log and its disk'],
  // the commit point
  IDEMPOTENCY_CONFLICT: ['conflict', 'the idempotency key was used for another request', 'make a new key'],
  RESERVATION_CLOSED: ['conflict', 'the reservation cannot be used any more: {why}', 'ask for a new decision'],
  // the service's own edges
  CHAINS_FULL: ['unavailable', 'no more than {max} chains are kept at once', 'present the chain whole; retry later'],
  CALLER_UNKNOWN: ['unauthenticated', 'the caller is not known: {why}', 'authenticate as the route asks'],
  CALLER_FORBIDDEN: ['forbidden', '{caller} may not {what}', 'ask the issuer or an admin'],
  SUBJECT_UNKNOWN: ['forbidden', '{did} is not registered here', 'register it first'],
  SUBJECT_EXISTS: ['conflict', '{did} or its key was registered before', 'make a new key'],
  SUBJECT_STATE: ['conflict', '{did} is {state}', 'only what is active gets authority; a retired one stays so'],
  SUBJECT_LIMIT: ['forbidden', '{owner} may not register this sub-agent: {why}', 'stay within the limits of its class'],
  GRANT_REFUSED: ['forbidden', 'the issuing policy does not grant this: {why}', 'ask for less'],
  NOT_FOUND: ['unknown', 'no {what}', 'check the name'],
  AGENT_ENDED: ['conflict', '{did} has ended, and its key with it', 'create another agent'],
  KEY_EXISTS: ['conflict', '{did} exists already', 'use it, or make another'],
  LIST_FULL: ['unavailable', 'no status index is left: {why}', 'retry; configure larger lists'],
  SERVICE_UNAVAILABLE: [
    'unavailable',
    '{service} does not answer as it should: {why}',
    'retry later; check its address',
  ],
  STORAGE_UNAVAILABLE: ['unavailable', 'storage: {why}', 'look at the disk and the file, then retry'],
  STORAGE_HELD: ['unavailable', '{what} is held by {who}', 'stop it first, or go through it'],
  STORAGE_ROLLED_BACK: [
    'misconfigured',
    'the database is older than what it promised: {why}',
    'restore the newest copy, or run procura fsck --reconcile',
  ],
  AUDIT_BROKEN: [
    'misconfigured',
    'the audit log does not hold: {why}',
    'keep a copy, run procura audit verify, and find out who changed it',
  ],
  CONFIG_INVALID: ['misconfigured', '{at}: {why}', 'correct the named line'],
  FILE_EXISTS: ['conflict', '{file} is there already', 'name another folder; nothing is overwritten'],
  KEY_FILE: ['misconfigured', 'key file {file}: {why}', 'restore the file that belongs to this database, mode 0600'],
  INTERNAL: ['misconfigured', 'a defect in this program', 'report it with the correlation id'],
} as const satisfies Record<string, readonly [Kind, string, string]>

/** Stable name of a refusal; public API. */
export type Code = keyof typeof ERRORS

type Named<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | Named<Rest> : never

/** The facts that code `C` needs: one value per name in braces of its message. Never a secret, never a token. */
export type Facts<C extends Code> = [Named<(typeof ERRORS)[C][1]>] extends [never]
  ? Readonly<Record<string, never>>
  : { readonly [N in Named<(typeof ERRORS)[C][1]>]: string | number }

/** The only error this project throws on purpose. Switch on {@link ProcuraError.code}, never on the message. */
export class ProcuraError<C extends Code = Code> extends Error {
  override readonly name = 'ProcuraError'
  readonly code: C
  readonly kind: Kind
  readonly facts: Readonly<Record<string, string | number>>

  /** @param options - `message`: the sentence another party computed from its own facts */
  constructor(code: C, facts: Facts<C>, options?: ErrorOptions & { readonly message?: string }) {
    const values = facts as Readonly<Record<string, string | number>>
    const [kind, template] = ERRORS[code]
    const told = template.replace(/\{(\w+)\}/g, (_, name: string) => printable(textOf(values[name])))
    super(options?.message === undefined ? `${code}: ${told}` : printable(options.message), options)
    this.code = code
    this.kind = kind
    this.facts = values
  }
}

const RANK: ReadonlyMap<string, number> = new Map(Object.keys(ERRORS).map((code, rank) => [code, rank]))

/** Place of a code in the order in which verification meets them: the higher, the further a token got. */
export function rankOf(code: Code): number {
  return RANK.get(code) ?? 0
}

/** True for a code of the table. */
export function isCode(value: unknown): value is Code {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value)
}

/** True for errors thrown on purpose; anything else is a defect. */
export function isProcuraError(error: unknown): error is ProcuraError {
  return error instanceof ProcuraError
}

/** Whatever was thrown, as a refusal: what is not ours is `INTERNAL`, with the original as cause. */
export function toProcuraError(error: unknown): ProcuraError {
  return isProcuraError(error) ? error : new ProcuraError('INTERNAL', {}, { cause: error })
}

/** Facts come from untrusted bytes: what is no text and no number, whatever its type says, has no text of its own. */
function textOf(fact: unknown): string {
  return typeof fact === 'string' || typeof fact === 'number' ? String(fact) : '?'
}

/** The text without control, bidirectional and other invisible characters, at most 1000 code units. */
export function printable(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '�')
  return clean.length > 1000 ? `${clean.slice(0, 999)}…` : clean
}
