import { groupsOf } from './report.mjs'

/**
 * Prints how long nothing went, what was refused, and how soon it went again after each fault.
 *
 * @param {readonly any[]} calls of which a yes was due @param {readonly any[]} faults
 */
export function availability(calls, faults) {
  const kinds = groupsOf(
    [...calls].sort((a, b) => a.done - b.done),
    ({ kind }) => kind,
  )
  const seconds = (/** @type {number} */ milliseconds) => (milliseconds / 1000).toFixed(1)
  const row = (/** @type {unknown[]} */ ...cells) => console.log(`| ${cells.join(' | ')} |`)
  row('\ncall', 'answered', 'failed', 'with', 'slowest s', 'longest gap s')
  row(...Array(6).fill('---'))
  for (const [kind, all] of kinds) {
    const good = all.filter(({ ok }) => ok)
    const codes = groupsOf(
      all.filter(({ ok }) => !ok),
      ({ code }) => String(code),
    )
    const failed = [...codes].map(([code, { length }]) => `${code} ${length}`).join(', ')
    const slowest = Math.max(...all.map(({ sent, done }) => done - sent))
    const gap = Math.max(0, ...good.slice(1).map(({ done }, n) => done - good[n].done))
    row(kind, good.length, all.length - good.length, failed, seconds(slowest), seconds(gap))
  }
  row(
    '\nfault',
    'lasted s',
    'failed until 5 s after',
    'all ready after s',
    'answered again after s: verify, grant, revoke',
  )
  row(...Array(5).fill('---'))
  for (const { name, from, healed } of faults.filter(({ what }) => what === 'fault')) {
    const ready = faults.find(({ what, since }) => what === 'ready' && since >= healed)?.done ?? NaN
    const failed = calls.filter(({ ok, sent, done }) => !ok && done >= from && sent <= healed + 5000)
    const again = ['verify', 'grant', 'revoke'].map(kind => {
      const first = kinds.get(kind)?.find(({ ok, sent }) => ok && sent >= healed)
      return first === undefined ? '–' : seconds(first.done - healed)
    })
    row(name, seconds(healed - from), failed.length, seconds(ready - healed), again.join(', '))
  }
}
