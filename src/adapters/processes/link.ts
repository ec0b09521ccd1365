import { ProcuraError, toProcuraError, type Code } from '../../errors.js'

/** The end of a channel between two processes, as Node gives it. */
export interface Channel {
  send(message: unknown, done: (error: Error | null) => void): unknown
  /** Calls `listener` with each message from now on. */
  hear(listener: (message: unknown) => void): void
  /** Calls `listener` when the other end is gone. */
  miss(listener: () => void): void
}

/** What one end does when the other asks. What is handed over and answered is plain data. */
export type Verbs = Readonly<Record<string, (given: never) => unknown>>

/** One end of a link. */
export interface Link {
  /** Asks the other end. @throws what the other end threw; SERVICE_UNAVAILABLE - it is gone */
  ask<T>(verb: string, given?: unknown): Promise<T>
}

type Asked = readonly [kind: 'ask', id: number, verb: string, given: unknown]
type Told = readonly [kind: 'yes', id: number, value: unknown] | readonly [kind: 'no', id: number, refusal: Refusal]
interface Refusal {
  readonly code: Code
  readonly facts: object
  readonly message: string
}
interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Links this process to the one at the other end. Whatever is said in one turn of the event loop goes in one message. */
export function linkOver(channel: Channel, verbs: Verbs): Link {
  const waiting = new Map<number, Waiting>()
  let said: (Asked | Told)[] = []
  let count = 0
  let isOver = false

  const end = (): void => {
    isOver = true
    for (const { reject } of waiting.values()) reject(gone())
    waiting.clear()
  }
  const say = (one: Asked | Told): void => {
    if (said.push(one) > 1) return
    setImmediate(() => {
      const all = said
      said = []
      if (isOver) return
      channel.send(all, error => {
        if (error !== null) end()
      })
    })
  }
  const answer = async (id: number, verb: string, given: unknown): Promise<void> => {
    try {
      const does = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
      if (does === undefined) throw new TypeError(`nobody asks for ${verb}`)
      say(['yes', id, (await does(given as never)) ?? null])
    } catch (thrown) {
      const { code, facts, message } = toProcuraError(thrown)
      say(['no', id, { code, facts, message }])
    }
  }

  channel.hear(message => {
    if (!Array.isArray(message)) return
    for (const one of message as (Asked | Told)[]) {
      if (one[0] === 'ask') {
        void answer(one[1], one[2], one[3])
        continue
      }
      const asker = waiting.get(one[1])
      waiting.delete(one[1])
      if (one[0] === 'yes') asker?.resolve(one[2])
      else asker?.reject(new ProcuraError(one[2].code, one[2].facts as never, { message: one[2].message }))
    }
  })
  channel.miss(end)
  return {
    ask<T>(verb: string, given: unknown = null): Promise<T> {
      if (isOver) return Promise.reject(gone())
      return new Promise<unknown>((resolve, reject) => {
        count += 1
        waiting.set(count, { resolve, reject })
        say(['ask', count, verb, given])
      }) as Promise<T>
    },
  }
}

function gone(): ProcuraError {
  return new ProcuraError('SERVICE_UNAVAILABLE', { service: 'the other process', why: 'it is gone' })
}
