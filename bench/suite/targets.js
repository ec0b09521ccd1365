// What is divided by what. A target says how much at least.

/** @typedef {readonly [row: string, baseline: string, atLeast?: number]} Comparison */

/** @type {readonly Comparison[]} */
export const COMPARISONS = [
  ['decide-cold-3', 'raw-verify-4', 0.85],
  ['decide-cold-3', 'veramo-3', 15],
  ['decide-cold-3', 'credo-3', 4],
  ['decide-cold-3', 'ucanto-3', 10],
  ['decide-known-3', 'raw-verify-1', 0.65],
  ['decide-known-3', 'veramo-3', 45],
  ['decide-cold-3-sodium', 'veramo-3', 28],
  ['decide-cold-3-sodium', 'biscuit-3', 1.7],
  ['decide-known-3-sodium', 'raw-verify-1-sodium', 0.65],
  ['http-verify-2proc', 'http-bare-2proc', 0.7],
  ['delegate-memory', 'raw-sign', 0.5],
  ['grant-sqlite', 'veramo-issue-save', 5],
  ...[1, 5, 8].map(depth => /** @type {const} */ ([`decide-cold-${depth}`, 'raw-verify-1'])),
  ...[1, 5, 8].map(depth => /** @type {const} */ ([`decide-known-${depth}`, 'raw-verify-1'])),
  ['decide-cold-3-strangers', 'raw-verify-4'],
  ['decide-cold-3', 'zcap-3'],
  ['decide-cold-3', 'jose-3'],
  ['decide-cold-3', 'biscuit-3'],
  ['decide-cold-3-sodium', 'raw-verify-4-sodium'],
  ['jose-3', 'raw-verify-4'],
  ['present', 'raw-sign'],
  ['http-verify-1proc', 'http-bare-1proc'],
  ['http-verify-2proc', 'http-verify-1proc'],
]
