import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { JsonObject } from '../../src/json.js'
import type { ReceivedRequest } from '../../src/presentation/request.js'
import type { UnixSeconds } from '../../src/time.js'
import type { DecideOptions } from '../../src/verifier/verifier.js'

/** A call of the verifier, as it travels. */
export type Call = readonly ['decide', string, ReceivedRequest, DecideOptions] | readonly ['commit' | 'release', string]

/** What of an answer travels back. */
export interface Answer {
  readonly allow: boolean
  readonly code: string | null
  readonly decisionId: string
}

/** The process ended before it answered: what was asked of it may have been done or not. */
export class Ended extends Error {}

/** A verifier in a process of its own. */
export interface VerifierProcess {
  /**
   * Makes all calls at once, at this time of its clock.
   *
   * @param times - each call so often
   * @throws Ended
   */
  ask(at: UnixSeconds, calls: readonly Call[], times?: number): Promise<readonly Answer[]>
  /** SIGKILL, whatever it is doing. @returns the signal it ended by */
  kill(): Promise<unknown>
  /** Lets it end by itself. @returns its exit code */
  end(): Promise<unknown>
}

/**
 * Starts a verifier on a database. Its network is the table of `mint.ts`.
 *
 * @param compiled - what `compileSources` returned
 * @param policy - members that replace those of `policyOf`
 * @param fatal - the process kills itself when this was done, before it answers; `taken`: all was, but not committed
 * @param redis - where what is hot is; the database unless given
 */
export async function startVerifier(
  compiled: string,
  url: string,
  policy: JsonObject,
  fatal?: 'decision' | 'commit' | 'release' | 'taken',
  redis = '',
): Promise<VerifierProcess> {
  const program = join(import.meta.dirname, 'verifier-child.mjs')
  const child = fork(program, [compiled, url, JSON.stringify(policy), fatal ?? '', redis], { execArgv: [] })
  const waiting = new Map<number, { resolve: (answers: readonly Answer[]) => void; reject: (why: Error) => void }>()
  let asked = 0
  const ended = once(child, 'exit')
  void ended.then(() => {
    for (const { reject } of waiting.values()) reject(new Ended())
  })
  await Promise.race([once(child, 'message'), ended.then(() => Promise.reject(new Ended('before it was ready')))])
  child.on('message', message => {
    const { n, answers } = message as { readonly n: number; readonly answers: readonly Answer[] }
    waiting.get(n)?.resolve(answers)
    waiting.delete(n)
  })
  return {
    ask: (at, calls, times = 1) =>
      new Promise((resolve, reject) => {
        const n = (asked += 1)
        waiting.set(n, { resolve, reject })
        child.send({ n, at, calls, times }, failed => {
          if (failed !== null) reject(new Ended())
        })
      }),
    async kill() {
      child.kill('SIGKILL')
      return (await ended)[1] as unknown
    },
    async end() {
      if (child.connected) child.disconnect()
      return (await ended)[0] as unknown
    },
  }
}
