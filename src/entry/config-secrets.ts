import { stat } from 'node:fs/promises'
import { isObject, type Json } from '../json.js'
import type { Looking } from './config-report.js'

/** Names of members whose values are secrets, by whatever program reads them. */
const SECRET_NAME = /^(?!.*hash$).*(?:secret|password|passphrase|api_?key|access_?token|private_?key)/i
const HEX_KEY = /^(?:0x)?[0-9a-f]{64}$/i
const PEM = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
const URL_WITH_PASSWORD = /^[a-z][a-z0-9+.-]*:\/\/[^/@\s:]*:[^/@\s]+@/i

/** Secrets that stand in the agent file, and a file that others may change. */
export async function checkSecrets({ file, report }: Looking): Promise<void> {
  for (const { at, why } of secretsIn(file.content, [])) {
    report({
      level: 'error',
      at,
      code: 'CONFIG_INVALID',
      why,
      remedy: 'write {$env: NAME} and set that variable, or put it into a file with mode 0600',
    })
  }
  const mode = (await stat(file.name).catch(() => null))?.mode ?? 0
  if ((mode & 0o022) === 0) return
  report({
    level: (mode & 0o002) === 0 ? 'warning' : 'error',
    at: [],
    code: 'CONFIG_INVALID',
    why: `others may write it (mode 0${(mode & 0o777).toString(8)}), and so make themselves admins`,
    remedy: 'chmod go-w it',
  })
}

function* secretsIn(value: Json, at: readonly PropertyKey[]): Generator<{ at: readonly PropertyKey[]; why: string }> {
  if (typeof value === 'string') {
    const name = at.findLast(step => typeof step === 'string') ?? ''
    if (URL_WITH_PASSWORD.test(value)) yield { at, why: 'holds a password' }
    else if (HEX_KEY.test(value) || PEM.test(value)) yield { at, why: 'looks like a key' }
    else if (SECRET_NAME.test(name) && value !== '') yield { at, why: 'is a secret by its name' }
  }
  if (Array.isArray(value)) for (const [n, one] of value.entries()) yield* secretsIn(one as Json, [...at, n])
  // $env and $ref name, they hold nothing
  if (!isObject(value) || '$env' in value || '$ref' in value) return
  for (const [name, one] of Object.entries(value)) yield* secretsIn(one, [...at, name])
}
