import type { Case } from './ask.js'
import { write } from './scene.js'
import type { Verdict } from './verdict.js'

/** What a run found. */
export interface Report {
  readonly cases: number
  readonly controls: number
  /** answers, by code; `allow` only where the break is harmless */
  readonly codes: Counts
  /** why those that were allowed are harmless */
  readonly harmless: Counts
  /** cases by the way they present */
  readonly forms: Counts
  /** milliseconds */
  readonly slowest: number
  /** milliseconds of all decisions together */
  readonly spent: number
  /** one paragraph each: how to make it again, what was broken, expected, actual */
  readonly misses: readonly string[]
}

type Counts = Readonly<Record<string, number>>

/** Counts verdicts while a run lasts. */
export class Tally {
  readonly #seed: number
  readonly #codes: Record<string, number> = {}
  readonly #harmless: Record<string, number> = {}
  readonly #forms: Record<string, number> = {}
  readonly #misses: string[] = []
  #cases = 0
  #controls = 0
  #slowest = 0
  #spent = 0

  constructor(seed: number) {
    this.#seed = seed
  }

  get misses(): number {
    return this.#misses.length
  }

  add(index: number, one: Case, verdict: Verdict): void {
    const { answer, harmless, miss, slowest, spent } = verdict
    this.#slowest = Math.max(this.#slowest, slowest)
    this.#spent += spent
    const isControl = one.bad === one.good
    if (isControl) this.#controls += 1
    else {
      this.#cases += 1
      count(this.#codes, answer)
      count(this.#forms, `${one.scene.inline ? 'inline' : 'by reference'}${one.broken.isWarm === true ? ', warm' : ''}`)
      if (harmless !== null) count(this.#harmless, harmless)
    }
    if (miss !== null) this.#miss(index, one, miss)
    else if (isControl && answer !== 'allow') this.#miss(index, one, { expected: 'allow', actual: answer })
  }

  #miss(index: number, { scene, broken }: Case, { expected, actual }: { expected: string; actual: string }): void {
    const links = scene.links.map(link => write(link.claims)).join('\n  ')
    this.#misses.push(
      `seed ${this.#seed}, case ${index}: ${broken.place}: ${broken.detail}\n expected ${expected}\n actual ${actual}\n` +
        (this.misses > 2 ? '' : ` links\n  ${links}\n asked ${JSON.stringify(scene.asked)}`),
    )
  }

  report(): Report {
    return {
      cases: this.#cases,
      controls: this.#controls,
      codes: this.#codes,
      harmless: this.#harmless,
      forms: this.#forms,
      slowest: this.#slowest,
      spent: this.#spent,
      misses: this.#misses,
    }
  }
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1
}

/** The report as lines for people. */
export function tell({ cases, controls, codes, harmless, forms, slowest, spent, misses }: Report): string {
  const rows = (counts: Counts): string =>
    Object.entries(counts)
      .sort(([, one], [, two]) => two - one)
      .map(([name, number]) => `  ${String(number).padStart(8)} ${name}`)
      .join('\n')
  return [
    `${cases} cases, ${controls} controls, ${misses.length} misses`,
    `slowest decision ${slowest.toFixed(1)} ms, mean ${(spent / Math.max(1, cases + controls)).toFixed(2)} ms`,
    `presented\n${rows(forms)}`,
    `${Object.keys(codes).length} answers\n${rows(codes)}`,
    `harmless\n${rows(harmless)}`,
    ...misses,
  ].join('\n')
}
