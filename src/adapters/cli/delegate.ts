import type { Agent, Delegation } from '../../wallet/wallet.js'
import { showGranted } from './granted.js'
import { secondsOf } from './grant.js'
import type { Output } from './output.js'
import { usageFault } from './problem.js'
import { readWrittenOptions, type WrittenOptions, type WrittenWorld } from './written-options.js'

/** Options of `procura delegate`. */
export interface DelegateOptions extends WrittenOptions, Output {
  /** alias or DID of who hands on */
  readonly as: string
  /** digest of what is held, where several would do */
  readonly chain?: string
}

/** What the command needs. */
export interface DelegateWorld extends WrittenWorld {
  /** the agent that hands on, opened once what is asked can be read */
  readonly asAgent: (run: (agent: Pick<Agent, 'delegate'>) => Promise<void>) => Promise<void>
}

/**
 * Hands on what an agent holds, narrower.
 *
 * @throws SCHEMA and the codes of an authority; NOT_FOUND - nothing held; WIDENED_*, DEPTH_*, DELEGATE_NOT_ALLOWED, …; a
 *   usage fault
 */
export async function delegateCommand(options: DelegateOptions, world: DelegateWorld): Promise<void> {
  const { to, ttl, draft } = await readWrittenOptions(options, world)
  const seconds = secondsOf(ttl)
  if (to === null) throw usageFault('--to is due: who receives it')
  const { audience, to: recipients, ...members } = draft
  const delegation: Delegation = {
    ...members,
    to,
    ttl: seconds,
    ...(audience.length === 0 ? {} : { audience }),
    ...(recipients === undefined ? {} : { recipients }),
    chain: options.chain,
  }
  await world.asAgent(async agent => {
    const { chain, digest, id, validUntil, authority } = await agent.delegate(delegation)
    showGranted(world.terminal, options, { to, digest, id, validUntil, chain, authority }, seconds)
  })
}
