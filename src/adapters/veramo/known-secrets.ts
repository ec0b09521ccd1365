const SECRET = /^[0-9a-f]{64}$/i

/** Printed in Veramo's template and tutorials, so they stand in many databases. */
const PUBLISHED = [
  '29739248cad1bd1a0fc4d9b75cd4d2990de535baf5caadfdf8d8f86664aa830c',
  '11b574d316903ced6cc3f4787bbcc3047d9c72d1da4d83e36fe714ef785d10c1',
]
const PUBLISHED_API_KEY = /(?<![a-z0-9])test123(?![a-z0-9])/i
/** 64 digits that repeat a short pattern, or count up. */
const TRIVIAL = /^(.{1,16})\1+$/s

/** True for a text that is, or contains, a secret printed in public templates, and for keys nobody drew at random. */
export function isKnownSecret(text: string): boolean {
  const lower = text.trim().toLowerCase()
  if (PUBLISHED.some(secret => lower.includes(secret)) || PUBLISHED_API_KEY.test(lower)) return true
  return SECRET.test(lower) && (TRIVIAL.test(lower) || lower.startsWith('000102030405060708'))
}
