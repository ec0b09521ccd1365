import type { Command } from 'commander'
import { ProcuraError } from '../../errors.js'
import { isObject, parseJson, type JsonObject } from '../../json.js'
import { bodyDigest, paramsDigest } from '../../presentation/request.js'
import type { Terminal } from './terminal.js'

/** Options that say which request is meant. */
export interface RequestOptions {
  readonly method?: string
  readonly url?: string
  readonly bodyFile?: string
  readonly action?: string
  readonly resource?: string
  readonly params?: string
}

/** A request as far as options say; `bodyDigest` and `params` are `null` if they do not. */
export interface StatedRequest {
  readonly method: string | null
  readonly url: string | null
  readonly bodyDigest: string | null
  readonly action: string | null
  readonly resource: string | null
  readonly params: JsonObject | null
}

/** Largest body, in bytes. */
const MAX_BODY = 64 * 1024 * 1024

/** Adds the options that say which request is meant. */
export function withRequest(command: Command): Command {
  return command
    .option('-m, --method <name>', 'GET, POST …')
    .option('-u, --url <url>', 'the whole target, with its query')
    .option('-b, --body-file <path>', 'the body, if it has one; - is standard input')
    .option('-a, --action <name>', 'what the resource server is asked to do')
    .option('-r, --resource <url>', 'on which resource (default: the URL without its query)')
    .option('--params <json>', 'with which parameters, as the resource server derives them: {"amount": 32000}')
}

/** Reads the options. @throws JSON_SYNTAX, SCHEMA, NOT_FOUND, INPUT_TOO_LARGE */
export async function readRequest(options: RequestOptions, terminal: Terminal): Promise<StatedRequest> {
  const { method = null, url = null, bodyFile, action = null, params } = options
  const digest = bodyFile === undefined ? null : bodyDigest(await terminal.read(bodyFile, MAX_BODY))
  const resource = options.resource ?? (url === null ? null : (url.split('?')[0] ?? url))
  return { method, url, bodyDigest: digest, action, resource, params: params === undefined ? null : readParams(params) }
}

function readParams(text: string): JsonObject {
  const { value } = parseJson(Buffer.from(text), '--params')
  if (!isObject(value)) throw new ProcuraError('SCHEMA', { at: '--params', why: 'is not a JSON object' })
  paramsDigest(value)
  return value
}
