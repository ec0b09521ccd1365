import { type Draft, type Loose, type LooseObject, textOf, write } from './scene.js'

export class Wrong extends Error {}

export function must(holds: boolean, why: string): asserts holds {
  if (!holds) throw new Wrong(why)
}

export const same = (one: Loose | undefined, two: Loose | undefined): boolean =>
  one !== undefined && two !== undefined && write(one) === write(two)

export function objectOf(value: Loose | undefined, what: string): LooseObject {
  must(typeof value === 'object' && value !== null && !Array.isArray(value), `${what} is no object`)
  return value
}

export function exactly(value: LooseObject, needed: readonly string[], optional: readonly string[] = []): void {
  must(
    needed.every(name => Object.hasOwn(value, name)),
    `lacks one of ${needed.join()}`,
  )
  for (const name of Object.keys(value)) must(needed.includes(name) || optional.includes(name), `knows no ${name}`)
}

/** @param isNamed - whose key it is, the link above says: of the name, only the DID counts */
export function headerFits({ header, signer }: Draft, typ: string, cty: string | null, isNamed = false): void {
  exactly(header, ['alg', 'kid', 'typ'], cty === null ? [] : ['cty'])
  must(header['alg'] === 'EdDSA' || header['alg'] === 'Ed25519', 'alg')
  const kid = textOf(header['kid'])
  must(header['typ'] === typ && (kid === signer.kid || (isNamed && kid.split('#')[0] === signer.did)), 'typ or kid')
  must(header['cty'] === undefined || header['cty'] === cty, 'cty')
}

export function times(claims: LooseObject): { readonly from: number; readonly until: number; readonly iat: number } {
  const { iat, exp, validFrom, validUntil } = claims
  const second = (text: Loose | undefined): number => {
    must(typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text), 'no date')
    const instant = Date.parse(text)
    must(!Number.isNaN(instant), 'no date')
    return instant / 1000
  }
  const [from, until] = [second(validFrom), second(validUntil)]
  must(isInt(iat) && exp === until && iat <= from && from < until, 'times contradict each other')
  return { from, until, iat }
}

export const isInt = (value: unknown): value is number => Number.isSafeInteger(value) && !Object.is(value, -0)
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= 512
export const isCount = (value: unknown, min: number, max: number): boolean =>
  isInt(value) && value >= min && value <= max

export function setOf(value: Loose | undefined, max: number, what: string): Loose[] {
  must(Array.isArray(value) && value.length > 0 && value.length <= max, `${what} is no list`)
  must(new Set(value.map(write)).size === value.length, `${what} is no set`)
  return value
}
