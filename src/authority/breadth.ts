import type { Authority } from './authority.js'
import { CALLS } from './budget.js'
import { formatSeconds } from './format.js'

/** Seconds from which on a life is called long. */
const LONG = 4 * 3600
/** Hops from which on anybody's handing on is called wide. */
const DEEP = 3

/**
 * What about an authority is broader than most tasks need, a sentence each. Nothing of it is wrong: whoever grants should
 * see it.
 *
 * @param seconds - how long it lives
 */
export function breadthOf({ grants, budgets = [], audience, more, to }: Authority, seconds: number): readonly string[] {
  const origins = new Set(grants.map(({ resource }) => originOf(resource)))
  return [
    ...grants.flatMap(({ resource, actions, args }) => [
      ...(/^https:\/\/[^/]*\/\*\*$/.test(resource) ? [`${resource} is everything at that origin`] : []),
      ...(args === undefined
        ? [`${actions.join(', ')} on ${resource} takes any arguments: --arg names and bounds them`]
        : []),
    ]),
    ...(origins.size > 1 ? [`it reaches ${origins.size} origins: ${[...origins].join(', ')}`] : []),
    ...(audience.length > 1 ? [`${audience.length} verifiers take it: ${audience.join(', ')}`] : []),
    ...(seconds > LONG
      ? [`it lives ${formatSeconds(seconds)}: a short one is renewed, a long one has to be revoked`]
      : []),
    ...(more >= DEEP && to === undefined
      ? [`it may be handed on over ${more} hops, to anybody: --recipient names them`]
      : []),
    ...budgets
      .filter(({ meter, unitArg, decimals }) => meter !== CALLS && unitArg === undefined && decimals > 0)
      .map(
        ({ unit, meter }) =>
          `no argument is fixed to ${unit}, so ${meter} in any currency counts as ${unit}: --arg currency=eq:${unit}`,
      ),
  ]
}

function originOf(resource: string): string {
  return /^https:\/\/[^/]*/.exec(resource)?.[0] ?? resource
}
