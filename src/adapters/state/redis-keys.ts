import type { RedisLink } from './redis.js'

/** The keys of one installation in a Redis that others may use too. */
export interface RedisSpace {
  readonly link: RedisLink
  /** names a key; all of them lie in one slot, so that one script may change several, in a cluster too */
  readonly key: (kind: string, name?: string) => string
}

/** @param installation - names the database that the state belongs to */
export function spaceOf(link: RedisLink, installation: string): RedisSpace {
  return { link, key: (kind, name) => `procura:{${installation}}:${kind}${name === undefined ? '' : ` ${name}`}` }
}

/**
 * Makes a Lua script callable.
 *
 * @param lua - reads `KEYS` and `ARGV`, and answers an array of texts
 */
export function scriptOf(
  { link }: RedisSpace,
  name: string,
  lua: string,
): (keys: readonly string[], given: readonly (string | number)[]) => Promise<readonly string[]> {
  const { redis } = link
  redis.defineCommand(name, { lua })
  const run = Reflect.get(redis, name) as (...all: (string | number)[]) => Promise<string[]>
  return (keys, given) => link.attempt(() => run.call(redis, keys.length, ...keys, ...given))
}
