import { isCode, isProcuraError, rankOf } from '../../src/errors.js'
import type { Policy } from '../../src/policy/policy.js'
import type { ReceivedRequest } from '../../src/presentation/request.js'
import type { Decision, Shown, Verifier, VerifierPorts } from '../../src/verifier/verifier.js'
import { type Break, UNBROKEN } from './edit.js'
import type { Prepared } from './prepare.js'
import type { Scene } from './scene.js'
import { type World, freshLedger, portsOf } from './world.js'

/** Makes the verifier on trial. */
export type Build = (policy: Policy, ports: VerifierPorts) => Pick<Verifier, 'decide' | 'keepChain'>

/** Who is asked, and by whose watch. */
export interface Trial {
  readonly build: Build
  /** milliseconds */
  readonly watch: () => number
}

/** One decision to be made. */
export interface Case {
  readonly scene: Scene
  readonly broken: Break
  readonly good: Prepared
  readonly bad: Prepared
  /** scenes whose chains were uploaded too */
  readonly others: readonly Scene[]
}

export interface Answer {
  /** `allow`, a code, or what went wrong */
  readonly answer: string
  readonly defect: string | null
  readonly slowest: number
  readonly spent: number
}

/** Has the verifier decide, and holds it to what always holds. */
export async function ask({ scene, broken, good, bad, others }: Case, { build, watch }: Trial): Promise<Answer> {
  const audit: object[] = []
  const world: World = { broken, prepared: bad, ledger: freshLedger() }
  const ports = await portsOf(scene, world, others, audit)
  const verifier = build(scene.policy, ports)
  let [slowest, spent] = [0, 0]
  const timed = async <T>(work: () => Promise<T>): Promise<T> => {
    const start = watch()
    try {
      return await work()
    } finally {
      const took = watch() - start
      slowest = Math.max(slowest, took)
      spent += took
    }
  }
  const answered = (answer: string, defect: string | null = null): Answer => ({ answer, defect, slowest, spent })
  if (broken.isWarm === true) {
    // the unbroken one in an unbroken world; then time stands still, and nothing of it was used or spent
    Object.assign(world, { broken: UNBROKEN, prepared: good })
    const { shown, approval } = good.renew(-1)
    const { allow } = await verifier.decide(shown, received(good, approval), { reserve: scene.asks.commit !== null })
    if (!allow) return answered('cold', 'the unbroken one was not allowed')
    Object.assign(world, { broken, prepared: bad, ledger: freshLedger() })
    audit.length = 0
  }
  // as from another process: the verifier is not told
  if (broken.event !== undefined) await ports.revocations.learn(broken.event)
  try {
    if (isUploaded(scene, broken, bad)) await timed(() => verifier.keepChain(bad.tokens))
  } catch (error) {
    if (isProcuraError(error)) return answered(error.code, error.code === 'INTERNAL' ? 'INTERNAL' : null)
    return answered('threw', `keepChain threw ${String(error)}`)
  }
  let last: Decision | null = null
  const { times, fresh } = broken.again ?? { times: 1, fresh: false }
  for (let time = 0; time < times; time += 1) {
    const { shown, approval } = fresh ? bad.renew(time) : bad
    const request = received(bad, approval)
    const showing = broken.showing === undefined ? shown : (broken.showing(shown) as Shown)
    const receiving = broken.receiving === undefined ? request : (broken.receiving(request) as ReceivedRequest)
    try {
      last = await timed(() =>
        verifier.decide(showing, receiving, { reserve: broken.reserve ?? scene.asks.commit !== null }),
      )
    } catch (error) {
      const told = error instanceof Error ? (error.stack ?? error.message) : String(error)
      return answered('threw', `decide threw ${told}`)
    }
  }
  if (last === null) return answered('nothing', 'nothing was asked')
  return answered(last.allow ? 'allow' : last.code, defectOf(last, broken, times, audit))
}

/** What is wrong with a decision, whatever it decides. */
function defectOf(decision: Decision, broken: Break, times: number, audit: readonly object[]): string | null {
  if (audit.length !== times) return `${audit.length} records of ${times} decisions`
  if (decision.allow) return null
  const { code, disclose } = decision
  if (!isCode(code)) return 'a code that is in no table'
  if (code === 'INTERNAL') return JSON.stringify(audit.at(-1)).slice(0, 2000)
  // the table is in the order of verification; after it stand the codes of other doors
  if (rankOf(code) > rankOf('AUDIT_UNAVAILABLE')) return 'a code that no step of the verification has'
  const isStranger = (broken.shown !== undefined || broken.showing !== undefined) && broken.forged === true
  return isStranger && disclose ? 'discloses the code to somebody who proved nothing' : null
}

function received({ asked }: Prepared, approval: string | undefined): ReceivedRequest {
  return { ...asked, params: asked.params, ...(approval === undefined ? {} : { approval }) }
}

/** About half of the broken chains that are named by their leaf have to pass the door they are uploaded at. */
function isUploaded({ inline }: Scene, { link, order }: Break, { tokens }: Prepared): boolean {
  return !inline && (link !== undefined || order !== undefined) && (tokens.at(-1)?.length ?? 0) % 2 === 0
}
