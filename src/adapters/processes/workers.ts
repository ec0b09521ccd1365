import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { linkOver, type Link, type Verbs } from './link.js'

/** How workers are started. */
export interface WorkersOptions {
  readonly count: number
  /** the module they run */
  readonly file: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  /** what they may ask this process */
  readonly verbs: Verbs
  /** told of a worker that ended though nobody stopped it, and of a start that failed */
  readonly onDeath: (error: unknown) => void
}

/** Processes that listen together. Each says `listening`, is asked `start` once, and `stop` at its end. */
export interface Workers<S> {
  /** what the first of them said when it had started */
  readonly started: S
  /** Asks all that answer in time. */
  askAll<T>(verb: string, milliseconds: number): Promise<readonly T[]>
  /** Stops all, each when it has finished what it accepted. */
  stop(): Promise<void>
}

/** A worker while it lives. */
interface Live {
  readonly ask: Link['ask']
  /** Stops it when it has finished what it accepted; asked again it is the same stop. */
  readonly stop: () => Promise<unknown>
}

/**
 * Milliseconds until another worker is started for one that could not start, or leaves: by then whoever signals all
 * processes has signalled this one too, and nobody is started any more.
 */
const PAUSE = 1000

/**
 * Starts workers; the first alone, so that what a first start makes is made once. One that says `leave` is
 * stopped once another one listens. One that dies is replaced, and what it had accepted has no answer; the others go on.
 *
 * @throws what the first `start` throws
 */
export async function startWorkers<S>(options: WorkersOptions): Promise<Workers<S>> {
  const { count, file, args, environment, verbs, onDeath } = options
  cluster.setupPrimary({ exec: file, args: [...args], execArgv: process.execArgv })
  const live = new Map<Worker, Live>()
  let isStopping = false

  async function start(): Promise<S> {
    const worker = cluster.fork(environment)
    let hear: () => void = () => undefined
    let stopping: Promise<unknown> | undefined
    let leaving: Promise<unknown> | undefined
    // what is said to a process that does not listen yet is lost
    const heard = new Promise<void>(resolve => (hear = resolve))
    const link = linkOver(
      {
        send: (message, done) => worker.send(message as never, done),
        hear: listener => void worker.on('message', listener),
        miss: listener => void worker.on('disconnect', listener),
      },
      { ...verbs, listening: () => hear(), leave: () => void (leaving ??= leave()) },
    )
    const ended = once(worker, 'exit') as Promise<[number | null, string | null]>
    const ask: Link['ask'] = async (verb, given) => {
      await Promise.race([heard, ended])
      return link.ask(verb, given)
    }
    const finish = async (): Promise<unknown> => {
      await ask('stop').catch(onDeath)
      if (worker.isConnected()) worker.disconnect()
      return ended
    }
    const stop = (): Promise<unknown> => (stopping ??= finish())
    const leave = async (): Promise<void> => {
      await setTimeout(PAUSE, undefined, { ref: false })
      await replace()
      if (live.has(worker)) await stop()
    }
    live.set(worker, { ask, stop })
    void ended.then(() => live.delete(worker))
    try {
      const started = await ask<S>('start')
      void ended.then(([code, signal]) => {
        if (isStopping || stopping !== undefined) return
        onDeath(new Error(`process ${worker.process.pid ?? 0} has ended (${signal ?? code ?? 0})`))
        if (leaving === undefined) void replace()
      })
      return started
    } catch (error) {
      worker.process.kill('SIGKILL')
      throw error
    }
  }

  async function replace(): Promise<void> {
    while (!isStopping) {
      try {
        await start()
        return
      } catch (error) {
        onDeath(error)
        await setTimeout(PAUSE)
      }
    }
  }

  async function stopAll(): Promise<void> {
    isStopping = true
    await Promise.all([...live.values()].map(({ stop }) => stop()))
  }

  const started = await start()
  try {
    await Promise.all(Array.from({ length: count - 1 }, start))
  } catch (error) {
    await stopAll()
    throw error
  }
  return {
    started,
    async askAll<T>(verb: string, milliseconds: number): Promise<readonly T[]> {
      const late = setTimeout(milliseconds, null, { ref: false })
      const all = await Promise.all([...live.values()].map(({ ask }) => Promise.race([ask<T>(verb), late]).catch(() => null))) // prettier-ignore
      return all.filter(one => one !== null)
    },
    stop: stopAll,
  }
}
