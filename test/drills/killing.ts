import { once } from 'node:events'
import { bitAt, decodeList } from '../../src/status/bitstring.js'
import { startIssuer, tellings } from './issuer-process.js'

/** What a drill found. */
export interface Found {
  /** acknowledged revocations whose bit is not set in the end */
  readonly lost: number
  /** indexes that two credentials got */
  readonly twice: number
  /** times a list was served with a lower version than before */
  readonly fell: number
  readonly revoked: number
  readonly issued: number
}

/** Kills a process that issues and revokes, time and again at another moment, and looks at what is left. */
export async function killed(folder: string, times: number, storage?: string): Promise<Found> {
  const revoked: (readonly string[])[] = []
  const places: string[] = []
  const versions = new Map<string, number>()
  let fell = 0
  for (let time = 0; time < times; time += 1) {
    const { child, told } = startIssuer(folder, ['work'], storage)
    // every second one not before it acknowledged something; and then at any moment, between one write and the next
    for (let seen = ''; !seen.includes(time % 2 === 0 ? 'revoked' : 'issued');) {
      seen += String((await once(child.stdout!, 'data'))[0])
    }
    await new Promise(resolve => setTimeout(resolve, Math.random() * 300))
    child.kill('SIGKILL')
    const lines = await told
    revoked.push(...tellings(lines, 'revoked'))
    places.push(...tellings(lines, 'issued').map(([, url, index]) => `${url}#${index}`))
    for (const [url = '', version] of tellings(lines, 'served')) {
      if (Number(version) < (versions.get(url) ?? 0)) fell += 1
      versions.set(url, Math.max(versions.get(url) ?? 0, Number(version)))
    }
  }
  const urls = [...new Set(revoked.map(([url = '']) => url))]
  const bits = new Map<string, Uint8Array>()
  for (const [url = '', version, token = ''] of tellings(
    await startIssuer(folder, ['list', ...urls], storage).told,
    'list',
  )) {
    if (Number(version) < (versions.get(url) ?? 0)) fell += 1
    const { credentialSubject } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
      credentialSubject: { encodedList: string }
    }
    bits.set(url, decodeList(credentialSubject.encodedList, url))
  }
  const lost = revoked.filter(([url = '', index]) => !bitAt(bits.get(url)!, Number(index))).length
  return { lost, twice: places.length - new Set(places).size, fell, revoked: revoked.length, issued: places.length }
}
