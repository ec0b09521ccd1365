import { isDid, type Did } from '../did/did.js'
import { setOf, object, where, type Shape } from '../shape.js'
import type { Json } from '../json.js'

/** A feed that is followed: what its issuer announces is known here within the second (profile §8.3). */
export interface Feed {
  readonly issuer: Did
  /** https URL without query and fragment */
  readonly url: string
}

/** Seconds a status list may be old: while the feed of its issuer is healthy, and else. */
export interface ListAge {
  readonly pushed: number
  readonly pulled: number
}

/**
 * How old a list may be at a risk (profile §8.4), once feeds are followed. At medium risk a healthy feed is enough; at
 * high risk it is needed besides, else the list is fetched now.
 *
 * @param ages - of the policy, in seconds
 */
export function listAge(
  risk: 'low' | 'medium' | 'high' | 'critical',
  ages: Readonly<Record<typeof risk, number>>,
  feeds: readonly Feed[],
): ListAge {
  const age = ages[risk]
  if (feeds.length === 0) return { pushed: age, pulled: age }
  if (risk === 'medium') return { pushed: Math.max(age, ages.low), pulled: age }
  return { pushed: age, pulled: risk === 'high' ? 0 : age }
}

/** Reads the feeds of a policy. */
export const feedsShape: Shape<readonly Feed[]> = setOf(
  object({
    issuer: where(isDid, 'is not a DID'),
    url: where(isFeedUrl, 'is not a canonical https URL without query and fragment'),
  }),
  0,
  64,
)

function isFeedUrl(value: Json): value is string {
  if (typeof value !== 'string' || value.length > 512 || !URL.canParse(value)) return false
  const { href, protocol, username, password } = new URL(value)
  return href === value && protocol === 'https:' && username === '' && password === '' && !/[?#]/.test(value)
}
