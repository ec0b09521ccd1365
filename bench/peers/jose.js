// jose over the same tokens, one `compactVerify` after the other, and then what `decide` asks too, in plain code that
// trusts its input's shape: no canonical JSON, no hostile values, no explanations.
import { createHash } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { compactVerify, importJWK } from 'jose'
import { chainOf, PEOPLE, present, RECEIVED, ROOT, SELF, STATUS, statusList } from '../inputs.js'
import { row, several } from '../rows/row.js'

const decoder = new TextDecoder()
const sha256 = text => createHash('sha256').update(text).digest('base64url')
const multihash = text =>
  `u${Buffer.concat([Uint8Array.of(0x12, 0x20), createHash('sha256').update(text).digest()]).toString('base64url')}`

export async function prepare() {
  /** imported once */
  const keys = new Map()
  for (const { kid, publicKey } of PEOPLE)
    keys.set(kid, await importJWK({ kty: 'OKP', crv: 'Ed25519', x: publicKey.x }, 'EdDSA'))
  const list = gunzipSync(Buffer.from(statusList().credentialSubject.encodedList.slice(1), 'base64url'))
  const used = new Set()

  const open = async (token, typ) => {
    const { payload, protectedHeader } = await compactVerify(token, ({ kid }) => keys.get(kid), {
      algorithms: ['EdDSA'],
    })
    const claims = JSON.parse(decoder.decode(payload))
    require(protectedHeader.typ === typ && protectedHeader.kid.startsWith(`${claims.iss}#`), 'signer')
    require(claims.iat <= Date.now() / 1000 + 5 && claims.exp > Date.now() / 1000, 'time')
    return claims
  }

  const decide = async presentation => {
    const shown = await open(presentation, 'vp+jwt')
    require(shown.aud === SELF && shown.exp - shown.iat <= 120, 'audience')
    let parent = null
    for (const { id } of shown.verifiableCredential) {
      const token = id.slice('data:application/vc+jwt,'.length)
      const link = await open(token, 'vc+jwt')
      const { authority } = link.credentialSubject
      if (parent === null) require(link.iss === ROOT.issuer, 'root')
      else {
        const above = parent.link.credentialSubject.authority
        require(link.iss === parent.link.sub && authority.parent.digest === parent.digest, 'order')
        require(authority.hop === above.hop + 1 &&
          authority.more < above.more &&
          link.exp <= parent.link.exp, 'narrowing')
        require(authority.grants.every(one => above.grants.some(other => within(one, other))), 'narrowing')
      }
      require(authority.audience.includes(SELF) && authority.grants.some(allows), 'grant')
      const index = Number(link.credentialStatus.statusListIndex)
      require(link.credentialStatus.statusListCredential === STATUS.entry.statusListCredential, 'status')
      require(((list[index >> 3] >> (7 - (index & 7))) & 1) === 0, 'revoked')
      parent = { link, digest: multihash(token.slice(0, token.lastIndexOf('.'))) }
    }
    require(parent.link.sub === shown.iss, 'holder')
    const { htm, htu, action, resource, paramsDigest: digest } = shown.request
    require(htm === RECEIVED.method &&
      htu === RECEIVED.url &&
      action === RECEIVED.action &&
      resource === RECEIVED.resource, 'request')
    require(digest === sha256(JSON.stringify(RECEIVED.params)), 'parameters')
    require(!used.has(shown.jti), 'replay')
    used.add(shown.jti)
  }

  return { 'jose-3': row(count => several(count, async () => present(await chainOf(STATUS))), decide) }
}

const covers = (pattern, resource) =>
  pattern === resource || (pattern.endsWith('/**') && resource.startsWith(pattern.slice(0, -2)))

const allows = ({ resource, actions, args }) =>
  covers(resource, RECEIVED.resource) &&
  actions.includes(RECEIVED.action) &&
  Object.entries(args).every(([name, { min, max }]) => RECEIVED.params[name] >= min && RECEIVED.params[name] <= max)

const within = (child, parent) =>
  covers(parent.resource, child.resource) &&
  child.actions.every(action => parent.actions.includes(action)) &&
  Object.entries(parent.args).every(
    ([name, { min, max }]) => child.args[name]?.min >= min && child.args[name].max <= max,
  )

function require(holds, what) {
  if (!holds) throw new Error(`refused: ${what}`)
}
