// What signatures alone cost, with keys held open, over the bytes of what `decide` is given.
import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { at, chainOf, PEOPLE, present, STATUS } from '../inputs.js'
import { plain } from './row.js'

/** @typedef {{ data: Uint8Array, signature: Uint8Array, key: import('procura').PublicKey }} Signed */

/** @returns {Promise<Record<string, import('./row.js').Row>>} */
export async function prepare() {
  const { privateKey } = generateKeyPairSync('ed25519')
  // of a link: what a delegation signs
  const data = (await signatures()).at(-1)?.data ?? Buffer.alloc(0)
  return {
    ...(await verifying(({ data, signature, key }) => verify(null, data, key.handle, signature))),
    'raw-sign': plain(() => sign(null, data, privateKey)),
  }
}

/** One presentation alone, and with the three links in it. @param {(one: Signed) => boolean} check */
export async function verifying(check) {
  const four = await signatures()
  const require = (/** @type {Signed} */ one) => {
    if (!check(one)) throw new Error('a good signature was refused')
  }
  return {
    'raw-verify-1': plain(() => four.slice(0, 1).forEach(require)),
    'raw-verify-4': plain(() => four.forEach(require)),
  }
}

/** A presentation, then the links in it. @returns {Promise<Signed[]>} */
async function signatures() {
  const chain = await chainOf(STATUS)
  return [await present(chain), ...chain].map((token, index) => {
    const end = token.lastIndexOf('.')
    const { publicKey: key } = at(PEOPLE, index === 0 ? 3 : index - 1)
    return { data: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), 'base64url'), key }
  })
}
