import type { Did } from '../did/did.js'
import type { Digest } from '../encoding.js'
import type { HoldingRecord } from '../ports/holding.js'
import type { StatusPlace } from '../ports/issuing.js'
import type { UnixSeconds } from '../time.js'
import { isTrusted } from './keeping.js'
import type { TrustedRoots, WalletPorts } from './wallet.js'

/**
 * - `unused`: never used, though half its life, or the time asked for, went by since it was taken in;
 * - `over-scoped`: some of it was used, and some never;
 * - `expiring`: less than a tenth of its life or less than 5 minutes are left;
 * - `orphaned`: its root is not trusted any more, so it is not used.
 */
export type InventoryFlag = 'unused' | 'over-scoped' | 'expiring' | 'orphaned'

/** One credential that an agent of the wallet holds. */
export interface InventoryEntry {
  readonly agent: { readonly did: Did; readonly name: string }
  readonly digest: Digest
  readonly id: string
  /** who handed it on, and who issued the root */
  readonly from: Did
  readonly root: Did
  readonly onBehalfOf: string | null
  /** what it grants, one row for each action of each grant; `lastUsed` is `null` if it was never used */
  readonly grants: readonly {
    readonly resource: string
    readonly action: string
    readonly timesUsed: number
    readonly lastUsed: UnixSeconds | null
  }[]
  /** hops that may follow */
  readonly more: number
  readonly receivedAt: UnixSeconds
  readonly validUntil: UnixSeconds
  /** uses of single grants: calls, and delegations that stand on it */
  readonly timesUsed: number
  readonly lastUsed: UnixSeconds | null
  /** where its revocation bit stands; `null`: it lives so short that only a link above can be revoked */
  readonly status: StatusPlace | null
  readonly flags: readonly InventoryFlag[]
}

/** Which entries are listed. */
export interface InventoryQuery {
  /** of this agent only */
  readonly agent?: Did
  /** seconds after which what was never used is `unused`, if half its life is longer; 3600 unless given */
  readonly unusedAfter?: number
}

const UNUSED_AFTER = 3600
const EXPIRING = 300

/** Lists what is held from the index alone: nothing is opened, nothing is looked up. */
export async function takeInventory(
  { agent, unusedAfter = UNUSED_AFTER }: InventoryQuery,
  roots: TrustedRoots,
  { clock, holdings, vault }: WalletPorts,
): Promise<readonly InventoryEntry[]> {
  const now = clock.now()
  const names = new Map((await vault.list()).map(({ did, alias }) => [did, alias]))
  const records = await holdings.list(now, agent)
  return records.map(record => {
    const { digest, id, issuer: from, root, principal, more, receivedAt, validUntil, status, uses } = record
    const used = uses.flatMap(({ last }) => (last === null ? [] : [last]))
    return {
      ...{ digest, id, from, root, more, receivedAt, validUntil, status },
      agent: { did: record.holder, name: names.get(record.holder) ?? record.holder },
      onBehalfOf: principal,
      grants: uses.map(({ resource, action, times, last }) => ({ resource, action, timesUsed: times, lastUsed: last })),
      timesUsed: uses.reduce((sum, { times }) => sum + times, 0),
      lastUsed: used.length === 0 ? null : Math.max(...used),
      flags: flagsOf(record, used.length, now, unusedAfter, isTrusted(roots, root, record.rootKey)),
    }
  })
}

function flagsOf(
  { receivedAt, validUntil, uses }: HoldingRecord,
  used: number,
  now: UnixSeconds,
  unusedAfter: number,
  trusted: boolean,
): readonly InventoryFlag[] {
  const life = validUntil - receivedAt
  const left = validUntil - now
  const isOld = now - receivedAt >= Math.min(unusedAfter, life / 2)
  const flags: readonly (readonly [InventoryFlag, boolean])[] = [
    ['unused', used === 0 && isOld],
    ['over-scoped', used > 0 && used < uses.length],
    ['expiring', left < EXPIRING || left < life / 10],
    ['orphaned', !trusted],
  ]
  return flags.filter(([, holds]) => holds).map(([flag]) => flag)
}
