/** A copy of an object without some of its members. */
export function but<T extends object, K extends keyof T>(whole: T, ...names: readonly K[]): Omit<T, K> {
  const copy = { ...whole }
  for (const name of names) Reflect.deleteProperty(copy, name)
  return copy
}
