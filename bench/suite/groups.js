// What is measured, and in whose company. Each group is a process of its own, so that no peer's heap or compiled code is
// another's, and one that cannot run takes nobody with it.

/**
 * @typedef {object} Group
 * @property {string} module - exports `prepare`, which makes its rows
 * @property {readonly string[]} rows - their names
 * @property {readonly string[]} [flags] - of its Node
 * @property {'node' | 'sodium'} [signatures] - what verifies them; node unless given
 * @property {number} [windows] - how many times as long as others its rows are measured at a stretch
 */

const VERIFYING = [
  ...['raw-verify-1', 'raw-verify-4'],
  ...[1, 3, 5, 8].flatMap(depth => [`decide-cold-${depth}`, `decide-known-${depth}`]),
  'decide-cold-3-strangers',
]

/** @type {readonly Group[]} */
export const GROUPS = [
  { module: '../rows/own.js', rows: [...VERIFYING, 'raw-sign', 'delegate-memory', 'present'] },
  { module: '../rows/sodium.js', rows: VERIFYING.map(name => `${name}-sodium`), signatures: 'sodium' },
  {
    module: '../rows/http.js',
    rows: ['http-verify-1proc', 'http-verify-2proc', 'http-bare-1proc', 'http-bare-2proc'],
    windows: 6,
  },
  { module: '../rows/veramo.js', rows: ['veramo-3', 'veramo-issue-save'] },
  { module: '../rows/grant.js', rows: ['grant-sqlite'] },
  { module: '../peers/credo.js', rows: ['credo-3'] },
  { module: '../peers/ucanto.js', rows: ['ucanto-3'] },
  { module: '../peers/zcap.js', rows: ['zcap-3'] },
  { module: '../peers/jose.js', rows: ['jose-3'] },
  { module: '../peers/biscuit.js', rows: ['biscuit-3'], flags: ['--experimental-wasm-modules'] },
]
