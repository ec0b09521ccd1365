import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { bitAt, decodeList } from '../../dist/status/bitstring.js'
import { startIssuer, tellings } from './issuer-process.mjs'

/**
 * Kills a process that issues and revokes, time and again at another moment, and looks at what is left.
 *
 * @param {string} folder
 * @param {number} times
 * @param {string} [storage]
 * @returns `lost`: acknowledged revocations whose bit is not set in the end; `twice`: indexes that two credentials got;
 *   `fell`: times a list was served with a lower version than before
 */
export async function killed(folder, times, storage) {
  /** @type {(readonly string[])[]} */
  const revoked = []
  /** @type {string[]} */
  const places = []
  /** @type {Map<string, number>} */
  const versions = new Map()
  let fell = 0
  /** @param {string} url @param {string | undefined} version */
  const served = (url, version) => {
    if (Number(version) < (versions.get(url) ?? 0)) fell += 1
    versions.set(url, Math.max(versions.get(url) ?? 0, Number(version)))
  }
  for (let time = 0; time < times; time += 1) {
    const { child, told } = startIssuer(folder, ['work'], storage)
    // every second one not before it acknowledged something; and then at any moment, between one write and the next
    for (let seen = ''; !seen.includes(time % 2 === 0 ? 'revoked' : 'issued');) {
      const [chunk] = await Promise.race([once(child.stdout, 'data'), told.then(() => [])])
      if (chunk === undefined) throw new Error('it ended before it did anything')
      seen += String(chunk)
    }
    await setTimeout(Math.random() * 300)
    child.kill('SIGKILL')
    const lines = await told
    revoked.push(...tellings(lines, 'revoked'))
    places.push(...tellings(lines, 'issued').map(([, url, index]) => `${url}#${index}`))
    for (const [url = '', version] of tellings(lines, 'served')) served(url, version)
  }
  const urls = [...new Set(revoked.map(([url = '']) => url))]
  /** @type {Map<string, Uint8Array>} */
  const bits = new Map()
  for (const [url = '', version, token = ''] of tellings(
    await startIssuer(folder, ['list', ...urls], storage).told,
    'list',
  )) {
    served(url, version)
    const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    bits.set(url, decodeList(credentialSubject.encodedList, url))
  }
  const lost = revoked.filter(([url = '', index]) => !bitAt(bits.get(url) ?? new Uint8Array(), Number(index))).length
  return { lost, twice: places.length - new Set(places).size, fell, revoked: revoked.length, issued: places.length }
}
