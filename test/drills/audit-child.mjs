// Appends to an audit log until it ends, and says what was acknowledged: node audit-child.mjs <dist> <folder> <from> [count]
import { writeSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [dist = '', folder = '', from = '0', count = 'Infinity'] = process.argv.slice(2)
const { fileAudit } = await import(pathToFileURL(join(dist, 'entry/audit.js')).href)
/** Acknowledges: a line that was written before the process is killed was told. @param {...unknown} words */
function tell(...words) {
  for (;;) {
    try {
      return void writeSync(1, `${words.join(' ')}\n`)
    } catch (error) {
      // who reads is slower
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EAGAIN') throw error
    }
  }
}

const log = await fileAudit(folder)
tell('opened', await log.size())
const end = Number(from) + Number(count)
for (let n = Number(from); n < end;) {
  // bursts of different sizes, some to be on the disk, some soon, so that every kind of step is under way at some time
  const burst = Array.from({ length: Math.min(1 + Math.floor(Math.random() * 40), end - n) }, (_, at) => n + at)
  const text = 'x'.repeat(Math.floor(Math.random() * 900))
  await Promise.all(
    burst.map(async one => {
      await log.record({ n: one, text }, one % 3 === 0).then(
        () => tell('recorded', one),
        (/** @type {{ code: string }} */ error) => tell('refused', one, error.code),
      )
    }),
  )
  n += burst.length
}
await log.close()
tell('closed')
