import { z } from 'zod'
import { operation } from './operation.js'
import { json, nothing } from './shapes.js'

const number = z.string().regex(/^(?:0|[1-9]\d{0,14})$/, 'is not a number')
const text = z.string().min(1).max(2048)
const hash = z.string().meta({ description: 'base64 of a SHA-256' })
const checkpoint = z.string().meta({ description: 'a signed note: https://c2sp.org/tlog-checkpoint' })
const proof = z.array(hash).readonly().meta({ description: 'as RFC 9162 §2.1 says' })

/** Query of `GET /v1/audit`: what is left out does not matter. */
export const auditQuery = z.strictObject({
  principal: text.optional(),
  agent: text.optional(),
  resource: text.optional(),
  action: text.optional(),
  decision: text.optional(),
  type: text.optional(),
  correlation: text.optional(),
  since: number.optional(),
  until: number.optional(),
  limit: number.optional(),
  /** `next` of the page before */
  after: z
    .string()
    .regex(/^\d{1,15}\.\d{1,15}$/, 'is not where a page ended')
    .optional(),
})

const asked = {
  method: 'GET',
  status: 200,
  caller: 'subject',
  params: nothing,
  query: nothing,
  body: null,
  repeat: 'free',
} as const

/** Reading the audit log, for admins and auditors; and figures. */
export const OBSERVING = {
  audit: operation({
    ...asked,
    path: '/v1/audit',
    summary: 'Records of the audit log: who did what on whose behalf, under which grant and policy',
    query: auditQuery,
    answer: z.object({
      records: z.array(z.object({ index: z.int(), record: json.nullable() })).readonly(),
      next: z.string().nullable(),
    }),
    codes: ['CALLER_FORBIDDEN'],
  }),
  auditCheckpoint: operation({
    ...asked,
    path: '/v1/audit/checkpoint',
    summary: 'How far the audit log is, signed, and the public key that signed it',
    answer: z.object({ key: z.string(), checkpoint }),
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND'],
  }),
  auditRecord: operation({
    ...asked,
    path: '/v1/audit/records/{index}',
    summary: 'A record as it stands in the audit log, or its hash if its content was pruned, with its proof',
    params: z.strictObject({ index: number }),
    answer: z.object({ index: z.int(), record: z.string().optional(), hash: hash.optional(), proof, checkpoint }),
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND'],
  }),
  auditConsistency: operation({
    ...asked,
    path: '/v1/audit/consistency/{size}',
    summary: 'Shows that the audit log goes on from its first records',
    params: z.strictObject({ size: number }),
    answer: z.object({ size: z.int(), proof, checkpoint }),
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND'],
  }),
  metrics: operation({
    ...asked,
    caller: 'anyone',
    path: '/metrics',
    summary: 'Figures for Prometheus, where they are switched on',
    answer: null,
    type: 'text/plain; version=0.0.4; charset=utf-8',
    codes: ['NOT_FOUND'],
  }),
}
