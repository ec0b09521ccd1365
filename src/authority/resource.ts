/** A canonical `https` URL without query: text equality is identity. */
export type Resource = `https://${string}`
/** A {@link Resource}, or one followed by `/**`: the node and everything below it. */
export type Selector = Resource

const MAX_LENGTH = 512
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
const ORIGIN = new RegExp(`^https://(?:${LABEL}\\.)*${LABEL}(?::([1-9][0-9]{0,4}))?`)
const PATH = /^(?:\/[A-Za-z0-9._~:@!$&'()+,=-]+)*$/
const DOTS = /\/\.{1,2}(?:\/|$)/
const BELOW = '/**'

/**
 * True for a canonical resource.
 *
 * ```abnf
 * resource = "https://" host [":" port] *("/" segment)   ; lower-case LDH host, port never 443, no trailing slash
 * segment  = 1*(ALPHA / DIGIT / any of "._~:@!$&'()+,=-") ; never "." or ".."
 * ```
 */
export function isResource(value: unknown): value is Resource {
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return false
  const origin = ORIGIN.exec(value)
  if (origin === null) return false
  const port = origin[1]
  if (port !== undefined && (Number(port) > 65535 || port === '443')) return false
  return isPathOrEmpty(value.slice(origin[0].length))
}

/** True for a resource, or a resource followed by `/**`; at most 512 characters in all. */
export function isSelector(value: unknown): value is Selector {
  if (typeof value !== 'string' || value.length > MAX_LENGTH) return false
  return isResource(value.endsWith(BELOW) ? value.slice(0, -BELOW.length) : value)
}

/** True for one or more `/segment`, at most 512 characters: the values of the `under` operator. */
export function isPath(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_LENGTH && isPathOrEmpty(value)
}

function isPathOrEmpty(path: string): boolean {
  return PATH.test(path) && !DOTS.test(path)
}

/** True if `path` equals `base` or lies below it. Both canonical, so comparing text is comparing meaning. */
export function isAtOrBelow(path: string, base: string): boolean {
  return path === base || path.startsWith(`${base}/`)
}

/** True if everything that `child` selects, `parent` selects: the "is at most" of a partial order. */
export function covers(parent: Selector, child: Selector): boolean {
  if (!parent.endsWith(BELOW)) return parent === child
  return isAtOrBelow(child.endsWith(BELOW) ? child.slice(0, -BELOW.length) : child, parent.slice(0, -BELOW.length))
}

/** Every selector that {@link covers} this one, the narrowest first; as many as it has segments. */
export function covering(child: Selector): readonly Selector[] {
  const base = child.endsWith(BELOW) ? child.slice(0, -BELOW.length) : child
  const origin = ORIGIN.exec(base)?.[0] ?? base
  const above: Selector[] = base === child ? [child] : []
  for (let end = base.length; end >= origin.length; end = base.lastIndexOf('/', end - 1)) {
    above.push(`${base.slice(0, end)}${BELOW}` as Selector)
  }
  return above
}
