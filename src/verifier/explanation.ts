import { formatBudget, formatGrant, formatRate } from '../authority/format.js'
import type { Link } from '../delegation/chain.js'
import { differences } from '../delegation/difference.js'
import { nearest } from '../delegation/narrowing.js'
import type { Did } from '../did/did.js'
import type { Digest } from '../encoding.js'
import { ERRORS, printable, type Code } from '../errors.js'
import type { Demands } from '../policy/risk.js'
import { toDate, type UnixSeconds } from '../time.js'
import type { Decision, Known, Step } from './decision.js'

/** Why a decision is what it is. Plain data. */
export interface Explanation {
  /** `chain`: no request was judged, only whether the chain would do for one */
  readonly of: 'request' | 'chain'
  readonly decision: Decision
  /** what the policy asks of a call of this action; `null` if the decision failed before it was looked at */
  readonly asks: Demands | null
  /** profile §6, in order */
  readonly steps: readonly ExplainedStep[]
  /** root first; as many as were presented */
  readonly links: readonly ExplainedLink[]
}

/** One or more rows of profile §6. */
export interface ExplainedStep {
  /** `6`, `8–10` */
  readonly rows: string
  readonly what: string
  /** `skipped`: not asked: an explanation is not put on record, and a chain alone shows no request */
  readonly outcome: 'passed' | 'failed' | 'not reached' | 'skipped'
  /** for the one that failed */
  readonly code: Code | null
  readonly detail: string | null
}

/** One link. One whose signature or shape was refused, or never looked at, says nothing but the name of its key. */
export type ExplainedLink = {
  readonly index: number
  readonly digest: Digest
  readonly kid: string
  /** what refused it, if this link is where it ended */
  readonly refused: Code | null
} & (
  | { readonly verified: false }
  | {
      readonly verified: true
      readonly issuer: Did
      readonly subject: Did
      /** whether the subject's name is tied to its key by more than the link above */
      readonly proved: boolean
      readonly grants: readonly string[]
      readonly budgets: readonly string[]
      readonly rate: string | null
      readonly purpose: string | null
      /** how it differs from those above it, a line for each difference; empty for the root */
      readonly differs: readonly string[]
      readonly status: ExplainedStatus
      /** whose revocation counts for it (profile §8.3) */
      readonly revocableBy: readonly Did[]
      readonly validUntil: UnixSeconds
      /** negative: it has ended */
      readonly secondsLeft: number
    }
)

/** How a link stands with its status list. */
export type ExplainedStatus =
  | { readonly state: 'not revoked'; readonly lists: readonly string[]; readonly age: number }
  | { readonly state: 'none needed' | 'not asked' | 'refused' }

const STEPS: readonly (readonly [Step, string, string])[] = [
  [4, '1–4', 'the presentation and every credential in it have the form of the profile'],
  [5, '5', 'the chain is here'],
  [6, '6', 'the policy trusts the root'],
  [7, '7', "the root's key is known and listed for granting"],
  [10, '8–10', 'every link is signed by the one above, well-formed and narrower'],
  [11, '11', 'the leaf signed the presentation'],
  [12, '12', 'the presentation and every link are meant for this verifier'],
  [13, '13', 'the presentation and every link are in time'],
  [14, '14', 'the nonce is one of this verifier, where it challenges'],
  [15, '15', 'what was received is what was signed'],
  [16, '16', 'the policy and every link allow it; identity, provenance and reservation are as the policy asks'],
  [17, '17', 'nobody was stopped, nothing was revoked or ended meanwhile; each call that needs it is approved'],
  [18, '18', 'used once, within every rate and budget'],
  [19, '19', 'put on record'],
]

/** Steps that need a request. */
const OF_REQUEST: ReadonlySet<Step> = new Set([5, 11, 14, 15, 16, 18, 19])

/** What a decision knew when it was taken, as an explanation. */
export function toExplanation(decision: Decision, known: Known, of: Explanation['of'] = 'request'): Explanation {
  const steps = STEPS.map(([step, rows, what]): ExplainedStep => {
    const isSkipped = of === 'chain' ? OF_REQUEST.has(step) : step === 19 && decision.allow
    if (isSkipped) return { rows, what, outcome: 'skipped', code: null, detail: null }
    if (decision.allow || step < known.step) return { rows, what, outcome: 'passed', code: null, detail: null }
    if (step > known.step) return { rows, what, outcome: 'not reached', code: null, detail: null }
    return { rows, what, outcome: 'failed', code: decision.code, detail: decision.detail }
  })
  const links = known.presented.map(({ digest, kid }, index): ExplainedLink => {
    const refused = !decision.allow && decision.link === index ? decision.code : null
    const link = known.opened[index]
    if (link === undefined) return { index, digest, kid, refused, verified: false }
    return { index, digest, kid, refused, verified: true, ...describe(link, index, known, refused) }
  })
  return { of, decision, asks: known.demands, steps, links }
}

function describe(
  link: Link,
  index: number,
  known: Known,
  refused: Code | null,
): Omit<Extract<ExplainedLink, { verified: true }>, 'index' | 'digest' | 'kid' | 'refused' | 'verified'> {
  const { grants, budgets = [], rate, purpose } = link.claims.authority
  return {
    issuer: link.issuer,
    subject: link.subject,
    proved: link.proved,
    grants: grants.map(formatGrant),
    budgets: budgets.map(formatBudget),
    rate: rate === undefined ? null : formatRate(rate),
    purpose: purpose?.s256 ?? null,
    differs: differences(link, known.opened.slice(0, index)),
    status: statusOf(link.digest, known, refused),
    revocableBy: revokersOf(known.opened.slice(0, index + 1)),
    validUntil: link.validUntil,
    secondsLeft: link.validUntil - known.now,
  }
}

/** Who signed the link or one above it, and who publishes the lists in force. */
function revokersOf(links: readonly Link[]): readonly Did[] {
  const authorities = links.map(({ claims }) => claims.authority)
  const lists = nearest(authorities, 'statusIssuers') ?? []
  return [...new Set([...links.map(({ issuer }) => issuer), ...lists.map(({ iss }) => iss)])]
}

function statusOf(digest: Digest, { live, step }: Known, refused: Code | null): ExplainedStatus {
  const found = live.find(({ watched }) => watched.digest === digest)
  if (found === undefined) return { state: step === 17 && refused !== null ? 'refused' : 'not asked' }
  const { age, watched } = found
  if (age === null) return { state: 'none needed' }
  return { state: 'not revoked', lists: watched.entries.map(({ url, index }) => `${url}#${index}`), age }
}

const MARKS = { passed: '✓', failed: '✗', 'not reached': '·', skipped: '·' } as const

/** An explanation for people: the answer, the chain as a tree, and the steps with ✓ and ✗. Safe to print. */
export function formatExplanation({ of, decision, asks, steps, links }: Explanation): string {
  const lines = [
    ...formatAnswer(decision, of),
    ...(asks === null ? [] : [`  ${formatDemands(asks)}`]),
    '',
    'Chain',
    ...(links.length === 0 ? ['  nothing could be read'] : links.flatMap(formatLink)),
    '',
    'Steps',
    ...steps.map(({ rows, what, outcome, code }) => {
      const reason = outcome === 'failed' ? `: ${String(code)}` : outcome === 'passed' ? '' : ` (${outcome})`
      return `  ${MARKS[outcome]} ${rows.padEnd(5)} ${what}${reason}`
    }),
  ]
  return lines.map(printable).join('\n')
}

/** A decision for people: the answer, and what to do about a refusal. Safe to print. */
export function formatDecision(decision: Decision, of: Explanation['of'] = 'request'): string {
  return formatAnswer(decision, of).map(printable).join('\n')
}

function formatAnswer(decision: Decision, of: Explanation['of']): readonly string[] {
  const until = `until ${toDate(decision.validUntil ?? 0)} at most`
  if (decision.allow && of === 'chain') {
    return [`✓ the chain holds for ${String(decision.path.at(-1))}, ${until}; no request was judged`]
  }
  if (decision.allow) {
    const on = decision.onBehalfOf === null ? '' : `, on behalf of ${decision.onBehalfOf}`
    return [`✓ allowed: ${String(decision.holder)}${on}, ${until}`]
  }
  const { code, kind, detail, link } = decision
  const where = link === null ? '' : link === -1 ? ' by the policy' : ` at link ${link}`
  return [`✗ refused${where} (${kind}): ${detail}`, `  what to do: ${ERRORS[code][2]}`]
}

function formatDemands({ risk, maxStatusAge, challenge, identity, approval, commit }: Demands): string {
  const asked = [
    `status at most ${formatAge(maxStatusAge)} old`,
    ...(challenge ? ['a nonce'] : []),
    ...(identity === 'none' ? [] : [identity === 'leaf' ? 'identity of the leaf' : 'identity of every link']),
    ...(approval ? ['an approval'] : []),
    ...(commit ? ['a reservation, committed right before the effect'] : []),
  ]
  return `asked at ${risk} risk: ${asked.join(', ')}`
}

function formatAge({ pushed, pulled }: Demands['maxStatusAge']): string {
  return pushed === pulled ? `${pulled} s` : `${pulled} s (${pushed} s while the feed is healthy)`
}

function formatLink(link: ExplainedLink): readonly string[] {
  const indent = '   '.repeat(link.index).concat('  ')
  const mark = link.refused === null ? (link.verified ? '✓' : '·') : '✗'
  const head = `${indent}${link.index === 0 ? '' : '└─ '}${mark} ${link.index} ${link.digest}`
  const said = (name: string, values: readonly string[]): readonly string[] =>
    values.map((value, index) => `${indent}      ${(index === 0 ? name : '').padEnd(9)}${value}`)
  if (!link.verified) return [head, ...said('claims', [`signed as ${link.kid}; nothing in it could be relied on`])]
  return [
    head,
    ...said('from', [link.issuer]),
    ...said('to', [`${link.subject}${link.proved ? '' : ' (unproved name)'}`]),
    ...said('grants', link.grants),
    ...said('budget', link.budgets),
    ...said('rate', link.rate === null ? [] : [link.rate]),
    ...said('purpose', link.purpose === null ? [] : [link.purpose]),
    ...said('differs', link.differs),
    ...said('status', [formatStatus(link.status)]),
    ...said('revokers', [link.revocableBy.join(', ')]),
    ...said('time', [formatTime(link.secondsLeft, link.validUntil)]),
    ...said('refused', link.refused === null ? [] : [link.refused]),
  ]
}

function formatStatus(status: ExplainedStatus): string {
  if (status.state !== 'not revoked') return status.state
  return `not revoked; ${status.lists.join(', ')}, its host answered ${status.age} s ago`
}

function formatTime(seconds: number, until: UnixSeconds): string {
  return seconds > 0 ? `${seconds} s left, until ${toDate(until)}` : `ended ${-seconds} s ago, at ${toDate(until)}`
}
