import type { JsonObject } from '../../src/json.js'

/** Attributes of a span, as they are exported. */
export type Attributes = Readonly<Record<string, unknown>>

/** What a span of a decision tells of a chain, as the log's record would. */
export function recordOfSpan(attributes: Attributes): JsonObject {
  return {
    type: 'decision',
    allow: attributes['procura.decision'] === 'allow',
    code: (attributes['procura.code'] as string | undefined) ?? null,
    root: (attributes['procura.root'] as string | undefined) ?? null,
    path: attributes['procura.chain.path'] as string[],
    digests: attributes['procura.chain.digests'] as string[],
  }
}
