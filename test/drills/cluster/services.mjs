// Service processes as `procura serve` runs them, each under a supervisor that starts it again whenever it ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

const ROOT = join(import.meta.dirname, '../../..')
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'

/**
 * @typedef {object} Member one process of a service
 * @property {string} name
 * @property {string} address
 * @property {number} port
 * @property {string} audit folder of its log
 * @property {() => void} kill
 * @property {(signal: 'SIGSTOP' | 'SIGCONT') => void} signal
 * @property {(seconds: number) => void} setClock how far its clock is off
 * @property {() => Promise<boolean>} isReady
 * @property {() => Promise<void>} close
 * @property {() => void} start
 */

/**
 * An agent file for one service. JSON is YAML.
 *
 * @param {string} folder @param {string} name @param {object} block
 */
export function agentFile(folder, name, block) {
  const path = join(folder, `${name}.yml`)
  const template = readFileSync(join(ROOT, 'agent.yml'), 'utf8')
  writeFileSync(path, template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(block)}\n\n`))
  return path
}

/**
 * A process that is started whenever it is not there, until it is closed.
 *
 * @param {{ name: string, folder: string, config: string, port: number, audit: string, hasClock: boolean, tell: (entry: object) => void }} options
 * @returns {Member}
 */
export function member({ name, folder, config, port, audit, hasClock, tell }) {
  const address = `http://127.0.0.1:${port}`
  const clock = join(folder, `${name}.clock`)
  // one log for all its lives
  const log = openSync(join(folder, `${name}.log`), 'a')
  /** @type {import('node:child_process').ChildProcess | null} */
  let child = null
  let isOver = true
  let isKilled = false
  // before its disk goes
  process.prependListener('exit', () => child?.kill('SIGKILL'))
  /** @type {Promise<void>} */
  let running = Promise.resolve()

  const run = async () => {
    while (!isOver) {
      isKilled = false
      const fake = { LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: clock, FAKETIME_CACHE_DURATION: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' } // prettier-ignore
      child = spawn(process.execPath, [join(ROOT, 'dist/entry/cli.js'), 'serve', '--config', config], {
        cwd: folder,
        env: { PATH: process.env['PATH'], PROCURA_PORT: String(port), PROCURA_AUDIT: audit, ...(hasClock ? fake : {}) },
        stdio: ['ignore', log, log],
      })
      const [code, signal] = await once(child, 'exit')
      child = null
      if (!isOver && !isKilled) tell({ what: 'ended', name, code, signal })
      if (!isOver) await setTimeout(isKilled ? 100 : 1000)
    }
  }
  const member = {
    name,
    address,
    port,
    audit,
    start() {
      if (!isOver) return
      isOver = false
      member.setClock(0)
      running = run()
    },
    kill() {
      isKilled = true
      child?.kill('SIGKILL')
    },
    /** @param {'SIGSTOP' | 'SIGCONT'} signal */
    signal: signal => void child?.kill(signal),
    /** @param {number} seconds */
    setClock(seconds) {
      if (hasClock) writeFileSync(clock, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    },
    async isReady() {
      const response = await fetch(`${address}/readyz`, { signal: AbortSignal.timeout(2000) }).catch(() => null)
      await response?.text()
      return response?.ok === true
    },
    async close() {
      isOver = true
      child?.kill('SIGTERM')
      child?.kill('SIGCONT')
      const last = await Promise.race([running.then(() => true), setTimeout(15_000, false)])
      if (last) return
      tell({ what: 'stuck', name })
      child?.kill('SIGKILL')
      await running
    },
  }
  return member
}
