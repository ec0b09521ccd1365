// A refusal is its code. The words beside it are for a reader, and no test should hold them letter by letter: texts that
// stand where only a message can come from them are not mutated. Codes, names, patterns and all else are.

/**
 * What is used here of a place in the syntax tree.
 *
 * @typedef {{ type: string, callee?: { type: string, name?: string } }} Node
 * @typedef {{ node: Node, parentPath: Path | null, key: string | number, listKey?: string }} Path
 */

/**
 * What is called with words, and the first argument that is words.
 *
 * @type {ReadonlyMap<string | undefined, number>}
 */
const WORDS_FROM = new Map([
  ['ProcuraError', 1],
  ['where', 1],
  ['wrong', 0],
])

/** @param {Path} path */
function isText({ node }) {
  return node.type === 'StringLiteral' || node.type === 'TemplateLiteral'
}

/**
 * True below an argument of one of these calls, unless a function stands between: that would run.
 *
 * @param {Path} path
 * @returns {boolean}
 */
function isWords({ parentPath, key, listKey }) {
  if (parentPath === null || /Statement$|Function/.test(parentPath.node.type)) return false
  const { type, callee } = parentPath.node
  const first = callee?.type === 'Identifier' ? WORDS_FROM.get(callee.name) : undefined
  const isArgument = /^(?:Call|New)Expression$/.test(type) && listKey === 'arguments'
  return (isArgument && first !== undefined && Number(key) >= first) || isWords(parentPath)
}

export const strykerPlugins = [
  {
    kind: 'Ignore',
    name: 'texts',
    value: {
      /** @param {Path} path */
      shouldIgnore: path => (isText(path) && isWords(path) ? 'words of a message' : undefined),
    },
  },
]
