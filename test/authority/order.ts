import fc from 'fast-check'

/** An order and what it is an order of: `within` claims that a child accepts nothing that its parent does not. */
export interface Order<T, V> {
  readonly within: (child: T, parent: T) => boolean
  readonly accepts: (one: T, value: V) => boolean
  /** values that may tell the two apart */
  readonly values: (child: T, parent: T) => readonly V[]
}

/** What a run over random pairs found. */
export interface Soundness<T, V> {
  readonly pairs: number
  /** pairs that are within each other: the others say nothing about soundness */
  readonly within: number
  /** values that a child within its parent accepted */
  readonly accepted: number
  readonly counterexample: { readonly child: T; readonly parent: T; readonly value: V } | null
}

/** Looks for a pair and a value that the child accepts and the parent does not, although the child is within the parent. */
export function soundness<T, V>(
  order: Order<T, V>,
  pair: fc.Arbitrary<readonly [T, T]>,
  pairs: number,
): Soundness<T, V> {
  const { within, accepts, values } = order
  const count = { pairs: 0, within: 0, accepted: 0 }
  for (const [child, parent] of fc.sample(pair, { numRuns: pairs, seed: 20_261_121 })) {
    count.pairs += 1
    if (!within(child, parent)) continue
    count.within += 1
    for (const value of values(child, parent)) {
      if (!accepts(child, value)) continue
      count.accepted += 1
      if (!accepts(parent, value)) return { ...count, counterexample: { child, parent, value } }
    }
  }
  return { ...count, counterexample: null }
}

/** How often, of `a` within `b` and `b` within `c`, and `a` within `c` as it must be then. */
export function transitivity<T>(
  within: (child: T, parent: T) => boolean,
  triple: fc.Arbitrary<readonly [T, T, T]>,
  triples: number,
): { readonly chains: number; readonly counterexample: readonly [T, T, T] | null } {
  let chains = 0
  for (const [a, b, c] of fc.sample(triple, { numRuns: triples, seed: 20_261_122 })) {
    if (!within(a, b) || !within(b, c)) continue
    chains += 1
    if (!within(a, c)) return { chains, counterexample: [a, b, c] }
  }
  return { chains, counterexample: null }
}
