import { codesOf, type Operation } from '../../src/api/operation.js'
import { OPERATIONS, type OperationName } from '../../src/api/operations.js'
import { problemAnswer } from '../../src/api/answers.js'
import { systemClock, systemIds } from '../../src/adapters/system.js'
import type { Json, JsonObject } from '../../src/json.js'
import { signProof } from '../../src/presentation/proof.js'
import { bodyDigest } from '../../src/presentation/request.js'
import type { Signer } from '../../src/signer.js'
import { ORIGIN } from './home.js'

/** Who asks: by its key, by a bearer secret, by a proof made before, or nobody. */
export type Asker = Signer | { readonly secret: string } | { readonly proof: string } | null

export interface Asked {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: string
  readonly body?: Json
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  readonly code: unknown
  readonly body: JsonObject
  readonly headers: Headers
  readonly text: string
  /** a member of the answer that has to be a text */
  readonly textOf: (name: string) => string
  /** the proof that was sent, if any */
  readonly proof: string
}

/** Asks operations over real HTTP, checks that each answer is one that is documented, and remembers which it saw. */
export class Asking {
  readonly #address: string
  readonly seen = new Set<string>()

  constructor(address: string) {
    this.#address = address
  }

  async ask(
    name: OperationName,
    as: Asker,
    { params = {}, query = '', body, headers = {} }: Asked = {},
  ): Promise<Answer> {
    const { method, path, caller, status, answer } = OPERATIONS[name] as Operation
    const target =
      path.replaceAll(/\{(\w+)\}/g, (_, part: string) => encodeURIComponent(params[part] ?? `no-${part}`)) + query
    const text = body === undefined ? undefined : JSON.stringify(body)
    const proof = await proofOf(as, method, target, text)
    const response = await fetch(`${this.#address}${target}`, {
      method,
      redirect: 'manual',
      ...(text === undefined ? {} : { body: text }),
      headers: {
        ...(text === undefined ? {} : { 'content-type': 'application/json' }),
        ...(proof === '' ? {} : { 'agent-proof': proof }),
        ...(as !== null && 'secret' in as ? { authorization: `Bearer ${as.secret}` } : {}),
        ...headers,
      },
    })
    const got = await response.text()
    const type = response.headers.get('content-type') ?? ''
    const json = type.includes('json') ? (JSON.parse(got) as JsonObject) : {}
    if (response.status === status) {
      if (answer !== null) answer.parse(json)
    } else if (response.status !== 304) {
      problemAnswer.parse(json)
      if (!type.startsWith('application/problem+json')) throw new Error(`${name}: ${type}`)
      // whoever proves nothing is refused before anything else, by the codes of a token
      if (caller !== 'anyone' || json['code'] !== undefined) this.#requireDocumented(name, response.status, json)
    }
    const { code } = json
    this.seen.add(`${name} ${response.status === status ? status : typeof code === 'string' ? code : ''}`)
    const textOf = (member: string): string => {
      const value = json[member]
      if (typeof value === 'string') return value
      throw new TypeError(`${name}: ${member} is no text`)
    }
    return { status: response.status, code, body: json, headers: response.headers, text: got, textOf, proof }
  }

  #requireDocumented(name: OperationName, status: number, { code }: JsonObject): void {
    const documented: readonly unknown[] = codesOf(OPERATIONS[name])
    const isOfToken = status === 401 || status === 400
    if (!documented.includes(code) && !isOfToken) throw new Error(`${name} answered ${status} ${JSON.stringify(code)}`)
  }
}

/** What is documented of every operation, as {@link Asking} remembers it. */
export function documented(): readonly string[] {
  return Object.entries(OPERATIONS).flatMap(([name, operation]) => [
    `${name} ${operation.status}`,
    ...codesOf(operation).map(code => `${name} ${code}`),
  ])
}

async function proofOf(as: Asker, method: string, target: string, body: string | undefined): Promise<string> {
  if (as === null || 'secret' in as) return ''
  if ('proof' in as) return as.proof
  const bound = { method, url: `${ORIGIN}${target}`, bodyDigest: body === undefined ? null : bodyDigest(body) }
  return signProof(as, ORIGIN, bound, systemIds.token(), systemClock.now())
}

/** The holder of a key agrees to be named in a call to `path`. */
export function possession(of: Signer, path: string): Promise<string> {
  const bound = { method: 'POST', url: `${ORIGIN}${path}`, bodyDigest: null }
  return signProof(of, ORIGIN, bound, systemIds.token(), systemClock.now())
}
