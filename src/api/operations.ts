import { z } from 'zod'
import * as answers from './answers.js'
import { OBSERVING } from './observing.js'
import * as bodies from './bodies.js'
import { operation } from './operation.js'
import { did, nothing } from './shapes.js'

const none = { params: nothing, query: nothing }
const anyone = { caller: 'anyone', body: null, repeat: 'free', ...none } as const
const asServer = { caller: 'resource-server', ...none } as const
const asSubject = { caller: 'subject', ...none } as const
const ofSubject = { caller: 'subject', params: z.strictObject({ did }), query: nothing } as const

/** DID documents; together with a resolver's own 300 s this bounds how long a key that was taken away still counts. */
const DOCUMENT_CACHE = 'public, max-age=60, must-revalidate'
/** Status lists may be kept this long by caches in between (profile §8.1). */
const LIST_CACHE = 'public, max-age=5, must-revalidate'

const post = { method: 'POST', status: 200 } as const
const create = { method: 'POST', status: 201 } as const
const get = { method: 'GET', status: 200 } as const

const life = (verb: 'suspend' | 'resume' | 'retire', summary: string) =>
  operation({
    ...post,
    ...ofSubject,
    path: `/v1/subjects/{did}/${verb}`,
    summary,
    body: bodies.emptyBody,
    answer: answers.subjectAnswer,
    repeat: 'once',
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND', 'SUBJECT_STATE'],
  })

const close = (verb: 'commit' | 'release', summary: string) =>
  operation({
    ...post,
    ...asServer,
    path: `/v1/${verb}`,
    summary,
    body: bodies.decisionBody,
    answer: answers.commitmentAnswer,
    repeat: 'free', // twice is answered as once
    codes: [],
  })

/** The HTTP API (service.md §3): an operation that is not here is not served, and one that is here is documented. */
export const OPERATIONS = {
  verify: operation({
    ...post,
    ...asServer,
    path: '/v1/verify',
    summary: 'Decides whether a request may happen',
    body: bodies.verifyBody,
    answer: answers.decisionAnswer,
    repeat: 'free',
    codes: [],
  }),
  commit: close('commit', 'Asks again right before the effect, and closes the reservation'),
  release: close('release', 'Gives a reservation back: the effect did not happen'),
  keepChain: operation({
    ...asServer,
    method: 'PUT',
    status: 204,
    path: '/v1/chains/{digest}',
    summary: 'Hands in a chain that proofs may name from then on',
    params: z.strictObject({ digest: z.string().max(64) }),
    body: bodies.chainBody,
    answer: null,
    repeat: 'free', // twice is as once
    counted: 'chains',
    codes: ['ROOT_UNTRUSTED', 'LEDGER_UNAVAILABLE'],
  }),
  challenge: operation({
    ...create,
    ...asServer,
    path: '/v1/challenges',
    summary: 'Makes a nonce for one presentation',
    body: bodies.challengeBody,
    answer: answers.challengeAnswer,
    repeat: 'free',
    codes: ['REPLAY_UNAVAILABLE'],
  }),

  register: operation({
    ...create,
    ...asSubject,
    path: '/v1/subjects',
    summary: 'Registers an agent, a person or an organisation',
    body: bodies.subjectBody,
    answer: answers.registeredAnswer,
    repeat: 'once',
    codes: ['SUBJECT_UNKNOWN', 'SUBJECT_LIMIT', 'SUBJECT_EXISTS'],
  }),
  subjects: operation({
    ...get,
    ...asSubject,
    path: '/v1/subjects',
    summary: 'A page of the register',
    query: bodies.subjectQuery,
    body: null,
    answer: answers.subjectsAnswer,
    repeat: 'free',
    codes: ['CALLER_FORBIDDEN'],
  }),
  subject: operation({
    ...get,
    ...ofSubject,
    path: '/v1/subjects/{did}',
    summary: 'One subject',
    body: null,
    answer: answers.subjectAnswer,
    repeat: 'free',
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND'],
  }),
  suspend: life('suspend', 'Suspends a subject, and what it holds'),
  resume: life('resume', 'Takes a suspended subject up again'),
  retire: life('retire', 'Ends a subject for good, its sub-agents with it'),
  identify: operation({
    ...create,
    ...ofSubject,
    path: '/v1/subjects/{did}/identity',
    summary: 'A fresh identity credential of an agent',
    body: bodies.emptyBody,
    answer: answers.issuedAnswer,
    repeat: 'once',
    counted: 'identities',
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND', 'SUBJECT_STATE'],
  }),
  rotate: operation({
    ...post,
    ...ofSubject,
    path: '/v1/subjects/{did}/rotate',
    summary: 'Puts another key in place of the current one',
    body: bodies.rotationBody,
    answer: answers.rotatedAnswer,
    repeat: 'once',
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND', 'SUBJECT_STATE', 'SUBJECT_EXISTS'],
  }),

  grant: operation({
    ...create,
    ...asSubject,
    path: '/v1/grants',
    summary: 'Issues a root capability',
    body: bodies.grantBody,
    answer: answers.issuedAnswer,
    repeat: 'once',
    codes: ['CAVEAT_UNKNOWN', 'CALLER_FORBIDDEN', 'SUBJECT_UNKNOWN', 'SUBJECT_STATE', 'GRANT_REFUSED'],
  }),
  allocate: operation({
    ...create,
    ...asSubject,
    path: '/v1/status/allocations',
    summary: 'Leases status indexes to the holder of a live chain',
    body: bodies.allocationBody,
    answer: answers.allocationAnswer,
    repeat: 'once',
    counted: 'leases',
    codes: ['CALLER_FORBIDDEN'],
  }),
  publish: operation({
    ...post,
    ...asSubject,
    path: '/v1/status/publications',
    summary: 'Signs the status lists that are due',
    body: bodies.emptyBody,
    answer: answers.publicationAnswer,
    repeat: 'same',
    codes: ['CALLER_FORBIDDEN'],
  }),
  revoke: operation({
    ...post,
    ...asSubject,
    path: '/v1/revocations',
    summary: 'Revokes, suspends or resumes, one or many; `dryRun` says what would end',
    body: bodies.revocationBody,
    answer: answers.revocationAnswer,
    repeat: 'same',
    codes: ['CALLER_FORBIDDEN', 'NOT_FOUND'],
  }),

  ...OBSERVING,

  statusList: operation({
    ...get,
    ...anyone,
    path: '/v1/status/{list}',
    summary: 'A status list credential',
    params: z.strictObject({ list: z.string().max(512) }),
    answer: null,
    type: 'application/vc+jwt',
    cache: LIST_CACHE,
    codes: ['NOT_FOUND', 'STORAGE_UNAVAILABLE'],
  }),
  events: operation({
    ...get,
    ...anyone,
    path: '/v1/events',
    summary: 'The feed of revocations: server-sent events, or a page of them as JSON',
    query: bodies.eventsQuery,
    answer: answers.eventsAnswer,
    stream: 'text/event-stream',
    codes: ['STORAGE_UNAVAILABLE'],
  }),
  didDocument: operation({
    ...get,
    ...anyone,
    path: '/.well-known/did.json',
    summary: 'The DID document of the issuer',
    answer: answers.documentAnswer,
    type: 'application/did+json',
    cache: DOCUMENT_CACHE,
    codes: [],
  }),
  hostedDocument: operation({
    ...get,
    ...anyone,
    path: '/{path}/did.json',
    summary: 'The DID document of a did:web below the issuer’s, whose segments the path is',
    params: z.looseObject({}),
    answer: answers.documentAnswer,
    type: 'application/did+json',
    cache: DOCUMENT_CACHE,
    codes: ['NOT_FOUND'],
  }),
  metadata: operation({
    ...get,
    ...anyone,
    path: '/.well-known/procura',
    summary: 'Endpoints, formats and limits of this service',
    answer: answers.metadataAnswer,
    cache: DOCUMENT_CACHE,
    codes: [],
  }),
  healthz: operation({
    ...get,
    ...anyone,
    path: '/healthz',
    summary: 'The process answers',
    answer: answers.healthAnswer,
    isProbe: true,
    codes: [],
  }),
  readyz: operation({
    ...get,
    ...anyone,
    path: '/readyz',
    summary: 'It can do its work, or why not',
    answer: answers.readyAnswer,
    isProbe: true,
    codes: ['SERVICE_UNAVAILABLE'],
  }),
}

/** Names of the operations. */
export type OperationName = keyof typeof OPERATIONS
