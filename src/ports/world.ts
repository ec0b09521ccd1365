import type { UnixSeconds } from '../time.js'

/** What the outside world must supply. Every answer says which is "no" and which is "do not know": the latter throws. */
export interface Clock {
  now(): UnixSeconds
}

/** Randomness for names; 122 bits or more. */
export interface Ids {
  /** a fresh v4 UUID, lower case */
  uuid(): string
  /** 22 fresh base64url characters, 128 bits */
  token(): string
}

/** Where decisions are put on record before they are returned. */
export interface Audit {
  /**
   * Puts an entry on record, as it is now. It outlives the machine when this answers; with `soon` only this process, and
   * the machine within 100 ms.
   *
   * @throws AUDIT_UNAVAILABLE
   */
  record(entry: object, soon?: boolean): Promise<void>
}

/** Groups writes. */
export interface Transactions {
  /**
   * Runs `work` so that all of its writes take effect, or none: its own and those of every port on the same store that
   * it calls. A nested call joins.
   *
   * `work` may run more than once, each time from its beginning, after what it wrote before was undone: databases end
   * one of two transactions that meet (SQLSTATE 40001). What it does elsewhere must bear that.
   *
   * @throws STORAGE_UNAVAILABLE, and whatever `work` throws, after everything was undone
   */
  transaction<T>(work: () => Promise<T>): Promise<T>
}

/** What was asked under a name before. */
export interface Asked {
  /** digest of the request */
  readonly request: string
  /** `null`: it is under way, or was broken off */
  readonly answer: string | null
}

/** Answers kept for callers that ask again. Every method throws STORAGE_UNAVAILABLE. */
export interface Answers {
  /** Takes the name until `until`: `null` for who is first, else what stands there. */
  claim(name: string, request: string, now: UnixSeconds, until: UnixSeconds): Promise<Asked | null>
  /** Keeps the answer to what was claimed. */
  keep(name: string, answer: string): Promise<void>
  /** Gives up a claim that has no answer. */
  forget(name: string): Promise<void>
}

/** What is new is added whole. */
export interface Additions {
  /**
   * As {@link Transactions.transaction}, for work that only adds what nobody has asked for yet: it may be written when
   * the work ends, together with what others add at the same moment. One that cannot be added fails alone.
   *
   * @throws as `transaction`
   */
  adding<T>(work: () => Promise<T>): Promise<T>
}

/** Tells when what was written takes effect. */
export interface Commits {
  /** true inside the work of a transaction */
  readonly inside: boolean
  /**
   * Runs `work` after the commit of the transaction it is called in, before that answers; at once where there is none;
   * not at all if the transaction is undone.
   */
  after(work: () => Promise<void>): Promise<void>
}
