import { request } from 'node:http'
import type { JsonObject } from '../../src/json.js'

/** An answer, its body as text and, where it is JSON, as its value. */
export interface Answer {
  readonly status: number
  readonly text: string
  readonly body: JsonObject
  readonly headers: Readonly<Record<string, unknown>>
}

/** What is sent: exactly these bytes as target and headers; `fetch` would tidy them up. */
export interface Sent {
  readonly method?: string
  readonly target: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string | Uint8Array
  /** send the body in pieces, without saying how long it is */
  readonly chunked?: boolean
}

/** Sends one request and reads the answer. */
export function sendRaw(
  address: string,
  { method = 'GET', target, headers = {}, body = '', chunked = false }: Sent,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(address)
    const all = { ...headers, ...(chunked ? { 'transfer-encoding': 'chunked' } : {}) } as Record<
      string,
      string | string[]
    >
    const sent = request({ hostname, port, method, path: target, headers: all }, response => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => {
        const isJson = (response.headers['content-type'] ?? '').includes('json')
        const value = (isJson ? JSON.parse(text) : {}) as JsonObject
        resolve({ status: response.statusCode ?? 0, text, body: value, headers: response.headers })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
