// The process of a group: makes its rows, warms each up, then measures the one it is told to, for about so many seconds.
/** @import { Row } from '../rows/row.js' */

const [module = '', warm = ''] = process.argv.slice(2)
/** Calls per second on the clock, what the next window is sized by. @type {Map<string, number>} */
const rates = new Map()
/** @type {Record<string, Row>} */
let rows = {}
process.once('disconnect', () => process.exit())
process.on('message', message => {
  const { name, seconds } = /** @type {{ name: string, seconds: number }} */ (message)
  measure(name, Math.max(1, Math.round((rates.get(name) ?? 0) * seconds))).then(answer, refuse)
})
try {
  /** @type {unknown} */
  const made = await import(module)
  const { prepare } = /** @type {{ prepare: () => Promise<Record<string, Row>> }} */ (made)
  rows = await prepare()
  const names = Object.keys(rows)
  for (const name of names) await warmUp(name, Number(warm) / names.length)
  answer(null)
} catch (error) {
  refuse(error)
}

/** For so many seconds that count; on a busy machine not for longer than twice as many, inputs and all. @param {string} name @param {number} seconds */
async function warmUp(name, seconds) {
  const until = performance.now() + 2000 * seconds
  for (let count = 1, counted = 0; counted < seconds && performance.now() < until; count *= 2) {
    counted += (await measure(name, count)).seconds
  }
}

/** @param {string} name @param {number} count */
async function measure(name, count) {
  const took = await rows[name]?.(count)
  if (took === undefined) throw new Error(`there is no row ${name}`)
  rates.set(name, count / took.onTheClock)
  return { count, ...took }
}

/** @param {unknown} said */
function answer(said) {
  process.send?.({ said })
}

/** @param {unknown} error - in WebAssembly anything is thrown */
function refuse(error) {
  const why = error instanceof Error ? error.message : JSON.stringify(error)
  process.send?.({ why: why.split('\n', 1)[0] })
}
