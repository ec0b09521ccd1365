import { isDid } from '../did/did.js'
import { isObject, member, type Json, type JsonObject } from '../json.js'
import type { UnixSeconds } from '../time.js'

/** Which records are meant. What is left out does not matter. */
export interface Question {
  /** on whose behalf */
  readonly principal?: string | undefined
  /** who took part: presented, stood in the chain, received, asked or was asked about */
  readonly agent?: string | undefined
  /** a resource, or with `/**` at its end everything below it */
  readonly resource?: string | undefined
  readonly action?: string | undefined
  /** `allow`, `deny`, or a code */
  readonly decision?: string | undefined
  readonly type?: string | undefined
  readonly correlation?: string | undefined
  /** not before */
  readonly since?: UnixSeconds | undefined
  /** before */
  readonly until?: UnixSeconds | undefined
}

/** What a record is found by. */
export interface Keys {
  readonly at: UnixSeconds
  readonly type: string
  readonly principal: string | null
  readonly resource: string | null
  readonly action: string | null
  readonly decision: 'allow' | 'deny' | null
  readonly code: string | null
  readonly correlation: string | null
  /** everybody who took part, each once */
  readonly parties: readonly string[]
}

/** Members of records that name somebody. */
const PARTIES = ['holder', 'root', 'path', 'by', 'to', 'from', 'issuer', 'approvedBy'] as const

/** What a record is found by; of one that says nothing of the kind, nothing but its type. */
export function keysOf(record: JsonObject): Keys {
  const allow = member(record, 'allow')
  const at = member(record, 'at')
  return {
    at: typeof at === 'number' ? at : 0,
    type: textOf(record, 'type') ?? '',
    principal: textOf(record, 'onBehalfOf'),
    resource: textOf(record, 'resource'),
    action: textOf(record, 'action'),
    decision: typeof allow === 'boolean' ? (allow ? 'allow' : 'deny') : null,
    code: textOf(record, 'code'),
    correlation: textOf(record, 'correlationId'),
    parties: [...new Set(PARTIES.flatMap(name => didsIn(member(record, name))))],
  }
}

function didsIn(value: Json | undefined): readonly string[] {
  if (isDid(value)) return [value]
  if (Array.isArray(value)) return (value as readonly Json[]).flatMap(didsIn)
  return isObject(value) ? didsIn(member(value, 'did')) : []
}

function textOf(record: JsonObject, name: string): string | null {
  const value = member(record, name)
  return typeof value === 'string' ? value : null
}
