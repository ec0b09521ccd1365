import { openSync, readFileSync, writeSync } from 'node:fs'

/** A line for each thing that was seen, written at once. @param {string} path @returns {(entry: object) => void} */
export function openJournal(path) {
  const file = openSync(path, 'a')
  return entry => void writeSync(file, `${JSON.stringify(entry)}\n`)
}

/** @param {string} path @returns {any[]} */
export function readJournal(path) {
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line))
}
