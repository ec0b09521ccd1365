/** Something that does not hold of a database. */
export interface Flaw {
  readonly what: string
  /** what its operator does about it */
  readonly advice: string
}
