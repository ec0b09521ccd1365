import { spawn } from 'node:child_process'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** @typedef {{ readonly lines: readonly (readonly string[])[], readonly code: number | null }} Told what a process told: a line is a list of words */

/**
 * Starts a process of its own that issues and revokes in a folder.
 *
 * @param {string} folder
 * @param {readonly string[]} words what it is to do
 * @param {string} [storage] another database than one in the folder
 */
export function startIssuer(folder, words, storage) {
  const program = join(import.meta.dirname, 'issuer-child.mjs')
  const env = { PATH: process.env['PATH'], ...(storage === undefined ? {} : { PROCURA_DRILL_STORAGE: storage }) }
  const child = spawn(process.execPath, [program, join(ROOT, 'dist'), folder, ...words], { env })
  let [text, errors] = ['', '']
  child.stdout.on('data', chunk => (text += String(chunk)))
  child.stderr.on('data', chunk => (errors += String(chunk)))
  /** @type {Promise<Told>} */
  const told = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      if (code !== null && code !== 0) return reject(new Error(errors))
      // what has no end of line was not told
      const lines = text.split('\n').slice(0, -1)
      return resolve({ code, lines: lines.map(line => line.split(' ')) })
    })
  })
  return { child, told }
}

/**
 * The lines that begin with a word, without it.
 *
 * @param {Told} told
 * @param {string} word
 */
export function tellings({ lines }, word) {
  return lines.filter(([first]) => first === word).map(([, ...rest]) => rest)
}
