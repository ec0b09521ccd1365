// The README's table of refusals, from the table in the code: `node .ci/error-table.mjs` checks, `--write` updates.
// Reads dist/errors.js, so build first; `npm run errors` does both.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ERRORS } from '../dist/errors.js'
import { toProblem } from '../dist/adapters/http/problem.js'

const BEGIN = '<!-- errors: made by .ci/error-table.mjs -->'
const END = '<!-- /errors -->'
const README = fileURLToPath(new URL('../README.md', import.meta.url))

/** What is between the markers of the README. */
export function errorTable() {
  const rows = Object.entries(ERRORS).map(([code, [kind, message, next]]) => {
    const { status } = toProblem({ code, kind, detail: '' }, false)
    return `| \`${code}\` | ${kind} ${status} | ${cell(message)} | ${cell(next)} |`
  })
  return ['| Code | Kind, HTTP | Meaning | What to do |', '|---|---|---|---|', ...rows].join('\n')
}

/** Facts stand in braces in the message; a reader sees them as *names*. */
function cell(text) {
  return text.replaceAll('|', '\\|').replace(/\{(\w+)\}/g, '*$1*')
}

/** The README with the table as it should be. */
export function withTable(readme) {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`README.md lacks ${BEGIN} … ${END}`)
  return `${readme.slice(0, from)}${BEGIN}\n${errorTable()}\n${readme.slice(to)}`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const readme = readFileSync(README, 'utf8')
  const due = withTable(readme)
  if (process.argv.includes('--write')) writeFileSync(README, due)
  else if (due !== readme) {
    console.error('README.md: the table of refusals differs from src/errors.ts; run: npm run errors')
    process.exit(1)
  }
}
