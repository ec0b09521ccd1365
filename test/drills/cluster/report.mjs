/**
 * Prints invariants with their counts; what is violated, or was never tried, ends the process with 1.
 *
 * @param {boolean} [isPart] what was never tried was not asked for
 */
export function report(isPart = false) {
  let broken = 0
  return {
    /**
     * @template T
     * @param {string} what @param {readonly T[]} all @param {(one: T) => boolean} holds
     * @param {boolean} [isRare] may not have been tried in a short run
     */
    invariant(what, all, holds, isRare = false) {
      const violated = all.filter(one => !holds(one))
      const isMissing = all.length === 0 && !isRare && !isPart
      if (violated.length > 0 || isMissing) broken += 1
      const sign = violated.length > 0 || isMissing ? '✗' : all.length === 0 ? '–' : '✓'
      console.log(`${sign} ${what}: ${all.length - violated.length} held, ${violated.length} violated`)
      for (const one of violated.slice(0, 3)) console.log(`     ${JSON.stringify(one)?.slice(0, 400)}`)
    },
    /** @param {string} text */
    figure: text => console.log(`  ${text}`),
    end() {
      process.exitCode = broken === 0 ? 0 : 1
    },
  }
}

/** @template T, K @param {readonly T[]} all @param {(one: T) => K} keyOf @returns {Map<K, T[]>} */
export function groupsOf(all, keyOf) {
  /** @type {Map<K, T[]>} */
  const groups = new Map()
  for (const one of all) {
    const key = keyOf(one)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [one])
    else group.push(one)
  }
  return groups
}
