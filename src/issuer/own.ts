import { MAX_CREDENTIAL } from '../credential/credential.js'
import { openOwnChain, type Chain } from '../delegation/chain.js'
import { ProcuraError } from '../errors.js'
import { readJws } from '../jws/compact.js'
import type { StatusPlace, StoredCredential } from '../ports.js'
import type { IssuerIdentity, IssuerPorts } from './issuer.js'

/** What an issuer knows of what it granted itself. */
export interface Own {
  /**
   * Opens a chain with the verifier's eyes: what would not open as a chain rooted here is neither issued nor revoked.
   *
   * @throws CHAIN_EMPTY, ROOT_UNTRUSTED and the codes of steps 1–3 and 7–10
   */
  open(tokens: readonly string[]): Promise<Chain>
  /**
   * The credential's place in one of our lists, where its issuer leased it: nobody revokes another's by copying an index.
   *
   * @throws NOT_FOUND, CALLER_FORBIDDEN
   */
  statusOf(credential: StoredCredential): Promise<{ readonly name: string; readonly status: StatusPlace }>
}

/** What was granted under this identity. */
export function ownOf({ signer, publicKey, statusBase }: IssuerIdentity, { keys, statusRows }: IssuerPorts): Own {
  return {
    async open(tokens) {
      const sealed = tokens.map((token, index) => readJws(token, 'vc+jwt', MAX_CREDENTIAL, `link ${index}`))
      const [root] = sealed
      if (root === undefined) throw new ProcuraError('CHAIN_EMPTY', {})
      if (root.kid !== signer.kid) throw new ProcuraError('ROOT_UNTRUSTED', { root: root.kid })
      return openOwnChain(sealed, publicKey, keys)
    },

    async statusOf({ digest, issuer, status }) {
      if (status?.url.startsWith(statusBase) !== true)
        throw new ProcuraError('NOT_FOUND', { what: `status entry of ${digest} here` })
      const name = status.url.slice(statusBase.length)
      if ((await statusRows.ownerOf(name, status.index)) !== issuer) {
        throw new ProcuraError('CALLER_FORBIDDEN', { caller: issuer, what: 'use a status index of somebody else' })
      }
      return { name, status }
    },
  }
}
