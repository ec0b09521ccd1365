// The reference of the command line in docs/cli.md, from the commands themselves: `node .ci/cli-reference.mjs` checks,
// `--write` updates. Reads dist, so build first.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { referenceOf } from '../dist/adapters/cli/reference.js'
import { createProgram } from '../dist/entry/program.js'

const BEGIN = '<!-- reference: made by .ci/cli-reference.mjs -->'
const END = '<!-- /reference -->'
const PAGE = fileURLToPath(new URL('../docs/cli.md', import.meta.url))

/** The page with the reference as it should be. */
export function withReference(page) {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`docs/cli.md lacks ${BEGIN} … ${END}`)
  return `${page.slice(0, from)}${BEGIN}\n\n${referenceOf(createProgram(shell))}\n${page.slice(to)}`
}

/** Commands are described, none is run. */
const shell = { terminal: {}, environment: {}, exit: () => undefined }

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = readFileSync(PAGE, 'utf8')
  const due = withReference(page)
  if (process.argv.includes('--write')) writeFileSync(PAGE, due)
  else if (due !== page) {
    console.error('docs/cli.md differs from the commands; run: npm run -s build && node .ci/cli-reference.mjs --write')
    process.exit(1)
  }
}
