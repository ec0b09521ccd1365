import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Finding } from '../../audit/compare.js'
import {
  parseTilePath,
  perfectRoot,
  tilePath,
  widthIn,
  WIDTH,
  type TileLevel,
  type TileName,
} from '../../audit/tile.js'
import { HASH_BYTES, isSame, type Hash } from '../../audit/tree.js'
import { isDraft, listTiles } from './files.js'

/** All files with tiles and bundles of a log, each to be looked at once. */
export interface TileFiles {
  /** what no log has */
  readonly strange: readonly Finding[]
  /**
   * Every file with a part of a tile or bundle holds what it should.
   *
   * @param width - what the log has there
   * @param expected - bytes of the first `count`; `null` if nobody knows
   */
  check(
    level: TileLevel,
    index: number,
    width: number,
    expected: (count: number) => Uint8Array | null,
  ): Promise<readonly Finding[]>
  /**
   * The same for a whole level of hashes; those of a tree of `size` records have to be there.
   *
   * @returns the level above
   */
  checkRow(level: number, row: readonly Hash[], size: number, findings: Finding[]): Promise<Hash[]>
  /** Those that nobody asked for. */
  left(): readonly Finding[]
}

/** Lists the tile files of a log. */
export async function tileFiles(folder: string): Promise<TileFiles> {
  const files = new Map<string, TileName[]>()
  const strange: Finding[] = []
  for (const path of await listTiles(folder)) {
    const name = parseTilePath(path)
    if (name === null) {
      if (!isDraft(path)) strange.push({ from: 0, to: 0, what: `${path} is no part of a log` })
      continue
    }
    const place = `${name.level}/${name.index}`
    files.set(place, [...(files.get(place) ?? []), name])
  }

  const check: TileFiles['check'] = async (level, index, width, expected) => {
    const findings: Finding[] = []
    for (const name of files.get(`${level}/${index}`) ?? []) {
      const due = name.width > width ? null : expected(name.width)
      const bytes = await readFile(join(folder, tilePath(name)))
      if (due !== null && isSame(bytes, due)) continue
      findings.push({ ...spanOf(name, due, bytes), what: `${tilePath(name)} is not what it should be` })
    }
    files.delete(`${level}/${index}`)
    return findings
  }

  return {
    strange,
    check,
    async checkRow(level, row, size, findings) {
      const above: Hash[] = []
      for (let index = 0; index * WIDTH < row.length; index += 1) {
        const part = row.slice(index * WIDTH, (index + 1) * WIDTH)
        const due = widthIn(size, level, index)
        const isThere = files.get(`${level}/${index}`)?.some(({ width }) => width === due || width === WIDTH) ?? false
        if (due > 0 && !isThere) {
          findings.push({ ...spanOf({ level, index }), what: `${tilePath({ level, index, width: due })} is missing` })
        }
        findings.push(...(await check(level, index, part.length, count => Buffer.concat(part.slice(0, count)))))
        if (part.length === WIDTH) above.push(perfectRoot(part))
      }
      return above
    },
    left: () =>
      [...files.values()]
        .flat()
        .map(name => ({ ...spanOf(name), what: `${tilePath(name)} does not belong to the log` })),
  }
}

/** The records that a tile is about; of two forms of it, those that the first hash that differs is about. */
function spanOf(
  { level, index }: Pick<TileName, 'level' | 'index'>,
  due: Uint8Array | null = null,
  bytes: Uint8Array | null = null,
): Pick<Finding, 'from' | 'to'> {
  if (level === 'entries') return { from: index * WIDTH, to: (index + 1) * WIDTH - 1 }
  const count = WIDTH ** level
  const first = due?.findIndex((byte, at) => byte !== bytes?.[at]) ?? -1
  if (first < 0) return { from: index * WIDTH * count, to: (index + 1) * WIDTH * count - 1 }
  const from = (index * WIDTH + Math.floor(first / HASH_BYTES)) * count
  return { from, to: from + count - 1 }
}
