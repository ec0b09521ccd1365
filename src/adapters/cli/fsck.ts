import { ProcuraError } from '../../errors.js'
import { progressOf, type ProgressStream } from './progress.js'
import type { Terminal } from './terminal.js'

/** Something that does not hold. */
export interface Flaw {
  readonly what: string
  /** what to do about it */
  readonly advice: string
}

/** How far a database and its audit log came. */
interface Stand {
  readonly sequence: number
  /** records */
  readonly auditSize: number
}

/** What `fsck` looks after. */
export interface Repairable {
  /** what does not hold of tables, keys and audit log */
  findings(onDone: (done: number, total: number) => void): Promise<readonly Flaw[]>
  /** what the marker remembers */
  reached(): Promise<Stand>
  /** how far database and audit log are */
  stands(): Promise<Stand>
  /**
   * Makes a database that fell behind fit to go on.
   *
   * @returns how many changes of status the audit log tells, and how many of them are of lists this database never knew
   */
  reconcile(): Promise<{ readonly told: number; readonly unknown: number }>
  close(): Promise<void>
}

/** Options of `procura fsck`. */
export interface FsckOptions {
  readonly reconcile?: boolean
  readonly output: 'json' | 'table'
}

/**
 * Checks the invariants of a service's storage, its keys and its audit log, and with `reconcile` makes a database that was restored from a backup fit
 * to go on. No service may run on it meanwhile.
 *
 * @returns 0 if all is well, 1 if something is wrong
 * @throws STORAGE_ROLLED_BACK, STORAGE_UNAVAILABLE
 */
export async function fsckCommand(
  { reconcile = false, output }: FsckOptions,
  {
    store,
    terminal,
    stream,
  }: { readonly store: Repairable; readonly terminal: Terminal; readonly stream: ProgressStream },
): Promise<number> {
  const [reached, before] = [await store.reached(), await store.stands()]
  const isBehind = before.sequence < reached.sequence || before.auditSize < reached.auditSize
  // a database that is not behind this log may still lack what it tells: it was reconciled with the log of another process
  const done = reconcile ? await store.reconcile() : null
  const findings = await store.findings(progressOf('checks', stream))
  if (output === 'json')
    terminal.print(JSON.stringify({ reached, stands: before, isBehind, reconciled: done, findings }))
  else {
    terminal.print(`database   ${before.sequence}, ${reached.sequence} was reached`)
    terminal.print(`audit log  ${before.auditSize} records, ${reached.auditSize} were reached`)
    if (done !== null) {
      terminal.print(`reconciled ${done.told} changes of status done again, ${done.unknown} of lists that are lost`)
    }
    for (const { what, advice } of findings) {
      terminal.print(`wrong      ${what}`)
      terminal.print(`           → ${advice}`)
    }
    if (findings.length === 0) terminal.print('nothing    wrong with tables, keys and audit log')
  }
  if (isBehind && done === null) {
    throw new ProcuraError('STORAGE_ROLLED_BACK', {
      why: `it stands at ${before.sequence} of ${reached.sequence}, its audit log at ${before.auditSize} of ${reached.auditSize} records`,
    })
  }
  return findings.length === 0 ? 0 : 1
}
