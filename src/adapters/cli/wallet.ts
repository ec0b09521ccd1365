import { formatAuthority } from '../../authority/format.js'
import type { Clock } from '../../ports/world.js'
import { toDate } from '../../time.js'
import type { Agent } from '../../wallet/wallet.js'
import { toJson } from './granted.js'
import { members, show, type Output } from './output.js'
import { usageFault } from './problem.js'
import { readRequest, type RequestOptions } from './request-options.js'
import { readChainFile } from './shown.js'
import type { Terminal } from './terminal.js'

/** What the commands need. */
export interface WalletWorld<A> {
  readonly terminal: Terminal
  /** an agent of a wallet, opened once what is asked can be read */
  readonly asAgent: (run: (agent: A) => Promise<void>) => Promise<void>
}

/**
 * Takes a chain into a wallet, after verifying every signature and every narrowing.
 *
 * @throws ROOT_UNTRUSTED, CALLER_FORBIDDEN - it was made for somebody else; steps 1–3 and 7–10
 */
export async function receiveCommand(
  file: string,
  options: Output,
  { terminal, asAgent, clock }: WalletWorld<Pick<Agent, 'receive'>> & { readonly clock: Clock },
): Promise<void> {
  const tokens = await readChainFile(file, terminal)
  await asAgent(async agent => {
    const { digest, id, subject, validUntil, authority, chain } = await agent.receive(tokens)
    const sentence = formatAuthority(authority, subject, validUntil - clock.now())
    const answer = { to: subject, digest, id, validUntil, links: chain.length, sentence, authority: toJson(authority) }
    show(terminal, options, answer, () => [
      sentence,
      ...members({ digest, id, until: toDate(validUntil), links: chain.length }, 6),
    ])
  })
}

/** Options of `procura present`. */
export interface PresentOptions extends RequestOptions, Output {
  readonly audience?: string
  readonly nonce?: string
  /** digest of what is held, where several would do */
  readonly chain?: string
  readonly onBehalfOf?: string
}

/**
 * Prints a presentation for one request: what goes into the header `Agent-Presentation`.
 *
 * @throws NOT_FOUND - nothing held; PRESENTATION_AUDIENCE, DENIED_*, RESOURCE_SYNTAX; a usage fault
 */
export async function presentCommand(
  options: PresentOptions,
  { terminal, asAgent }: WalletWorld<Pick<Agent, 'present'>>,
): Promise<void> {
  const { method, url, bodyDigest, action, resource, params } = await readRequest(options, terminal)
  if (url === null || action === null || resource === null) throw usageFault('--url and --action are due')
  const { audience = originOf(url), nonce, chain, onBehalfOf } = options
  const request = {
    ...{
      method: method ?? 'GET',
      url,
      bodyDigest,
      action,
      resource,
      params: params ?? {},
      audience,
      chain,
      onBehalfOf,
    },
    ...(nonce === undefined ? {} : { nonce }),
  }
  await asAgent(async agent => {
    const presentation = await agent.present(request)
    show(terminal, options, { presentation, audience }, () => [presentation])
  })
}

function originOf(url: string): string {
  if (URL.canParse(url)) return new URL(url).origin
  throw usageFault(`--url is no URL: ${url}`)
}
