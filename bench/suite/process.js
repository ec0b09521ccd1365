import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/**
 * A group's process as who measures sees it.
 *
 * @typedef {object} GroupProcess
 * @property {() => boolean | string} state - true: ready; false: not yet; a text: why it never will be
 * @property {Promise<void>} settled - when it is ready, or will never be
 * @property {(name: string, seconds: number) => Promise<number>} rate - calls per second of a row, over about so long
 * @property {() => Promise<void>} close
 */

/** Starts the process of a group. @param {import('./groups.js').Group} group @param {number} warm - seconds its rows run beforehand @returns {GroupProcess} */
export function startGroup({ module, flags = [], signatures = 'node' }, warm) {
  const child = fork(
    fileURLToPath(new URL('worker.js', import.meta.url)),
    [new URL(module, import.meta.url).href, String(warm)],
    {
      env: { ...process.env, PROCURA_SIGNATURES: signatures },
      execArgv: ['--no-warnings', ...flags],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    },
  )
  const gone = once(child, 'exit')
  let complaint = ''
  child.stderr?.on('data', part => (complaint = `${complaint}${part}`.slice(-2000)))
  /** @type {boolean | string} */
  let state = false
  /** @type {((answer: { said?: unknown, why?: string }) => void) | null} */
  let waiting = null
  const ask = () =>
    new Promise((/** @type {(said: unknown) => void} */ resolve, reject) => {
      waiting = ({ said, why }) => {
        waiting = null
        if (why === undefined) resolve(said)
        else reject(new Error(why))
      }
    })
  child.on('message', message => waiting?.(/** @type {{ said?: unknown, why?: string }} */ (message)))
  child.once('exit', code => {
    const why = complaint.split('\n').find(line => /\w*Error\b|panicked/.test(line))
    state = why ?? `ended with ${code ?? 'a signal'}`
    waiting?.({ why: state })
  })
  const settled = ask().then(
    () => {
      state = true
    },
    (/** @type {unknown} */ error) => {
      state = error instanceof Error ? error.message : String(error)
    },
  )
  return {
    state: () => state,
    settled,
    async rate(name, seconds) {
      const answer = ask()
      child.send({ name, seconds })
      const { count, seconds: took } = /** @type {{ count: number, seconds: number }} */ (await answer)
      return count / took
    },
    // it takes its own files and processes away, if it is not stuck
    async close() {
      if (child.connected) child.disconnect()
      await Promise.race([gone, setTimeout(2000, null, { ref: false })])
      child.kill('SIGKILL')
    },
  }
}
