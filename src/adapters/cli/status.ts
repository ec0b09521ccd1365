import type { Client } from '../../api/client.js'
import { ProcuraError } from '../../errors.js'
import { isObject, member, parseJson, type JsonObject } from '../../json.js'
import { decodeList } from '../../status/bitstring.js'
import { members, show, textOf, type Output } from './output.js'
import type { Terminal } from './terminal.js'

/** What the commands need. */
export interface StatusWorld {
  readonly terminal: Terminal
  readonly admin: { readonly api: Pick<Client, 'statusList' | 'publish'> }
}

/** Shows what a status list says. Its signature is not verified: that is a verifier's work. @throws NOT_FOUND */
export async function showStatus(list: string, options: Output, { admin, terminal }: StatusWorld): Promise<void> {
  const token = await admin.api.statusList({ params: { list: list.slice(list.lastIndexOf('/') + 1) } })
  const { value } = parseJson(Buffer.from(token.split('.')[1] ?? '', 'base64url'), 'status list')
  const subject = isObject(value) ? member(value, 'credentialSubject') : undefined
  if (!isObject(value) || !isObject(subject)) throw new ProcuraError('SCHEMA', { at: list, why: 'is no status list' })
  const [encoded, purpose, version] = ['encodedList', 'statusPurpose', 'version'].map(name => member(subject, name))
  const bits = decodeList(typeof encoded === 'string' ? encoded : '', list)
  const shown: JsonObject = {
    list: member(value, 'id') ?? null,
    purpose: purpose ?? null,
    version: version ?? null,
    bits: bits.length * 8,
    set: bits.reduce((sum, byte) => sum + ones(byte), 0),
    validUntil: member(value, 'validUntil') ?? null,
  }
  show(terminal, options, shown, () => members(shown, 10))
}

/** Signs what is due now. */
export async function publishStatus(options: Output, { admin, terminal }: StatusWorld): Promise<void> {
  const answer = await admin.api.publish({ body: {} })
  show(terminal, options, answer, () => answer.lists.map(list => `published ${textOf(list)}`))
}

function ones(byte: number): number {
  let count = 0
  for (let rest = byte; rest > 0; rest >>>= 1) count += rest & 1
  return count
}
