// The verifier and a wallet with signatures by node:crypto, beside bare node:crypto, in one process.
import * as decide from './decide.js'
import * as raw from './raw.js'
import * as wallet from './wallet.js'

export const prepare = async () => ({
  ...(await raw.prepare()),
  ...(await decide.prepare()),
  ...(await wallet.prepare()),
})
