import { flipped, type Break, type Edit } from './edit.js'
import { nodes, put } from './mutate.js'
import { withChain } from './prepare.js'
import { at, type Draft, type Loose, type LooseObject, type Scene } from './scene.js'

/** A token of a scene, and how a break says that it is this one. */
interface Target {
  readonly name: string
  readonly good: Draft
  readonly broken: (edit: Edit) => Partial<Break>
}

function targets({ links, identities, shown, approval, lists, inline, tokens }: Scene): Target[] {
  const whole = { ...shown, claims: withChain(shown.claims as LooseObject, inline, tokens) }
  return [
    ...links.map((good, index) => ({ name: 'link', good, broken: (edit: Edit) => ({ link: { index, edit } }) })),
    ...identities.map((good, index) => ({
      name: 'identity',
      good,
      broken: (edit: Edit) => ({ identity: { index, edit } }),
    })),
    { name: 'shown', good: whole, broken: edit => ({ shown: edit }) },
    ...(approval === null ? [] : [{ name: 'approval', good: approval, broken: (edit: Edit) => ({ approval: edit }) }]),
    ...[...lists].map(([url, good]) => ({ name: 'list', good, broken: (edit: Edit) => ({ list: { url, edit } }) })),
  ]
}

/** Every byte of every signature turned, and every member of every token deleted, retyped and given one more. */
export function waysToBreak(scene: Scene): Break[] {
  return targets(scene).flatMap(({ name, good, broken }) => {
    const way = (what: string, detail: string, edit: Edit, forged = false): Break => ({
      place: `${name} ${what}`,
      detail,
      forged,
      ...broken(edit),
    })
    const bytes = Array.from({ length: 64 }, (_, place) => {
      const token = (whole: string): string => {
        const cut = whole.lastIndexOf('.') + 1
        return whole.slice(0, cut) + flipped(whole.slice(cut), place, place % 8)
      }
      return way('token signature byte', String(place), { token }, true)
    })
    const header = changes(good.header).map(([what, detail, change]) =>
      way(`header ${what}`, detail, { header: change }),
    )
    const claims = changes(good.claims).map(([what, detail, change]) => way(what, detail, { claims: change }))
    return [...bytes, ...header, ...claims]
  })
}

type Change = readonly [what: string, detail: string, change: (document: LooseObject) => void]

/** What can be done to each member of a document. */
function changes(document: Loose): Change[] {
  return nodes(document).flatMap(({ path, value }): Change[] => {
    const last = path.at(-1)!
    const place = path.map(step => (typeof step === 'number' ? '#' : step)).join('.')
    const inside = (bend: (holder: LooseObject | Loose[]) => void) => (whole: LooseObject) =>
      bend(at(whole, ...path.slice(0, -1)) as LooseObject | Loose[])
    const remove = inside(holder => {
      if (Array.isArray(holder)) holder.splice(Number(last), 1)
      else Reflect.deleteProperty(holder, last)
    })
    const retyped: readonly Loose[] = [null, { value }, typeof value === 'string' ? 1 : 'x']
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return [
      [`${place} delete`, path.join('.'), remove],
      ...retyped.map((other): Change => {
        const detail = `${path.join('.')} → ${JSON.stringify(other).slice(0, 80)}`
        return [`${place} retype`, detail, inside(holder => put(holder, last, other))]
      }),
      ...(isObject
        ? [
            [
              `${place}.x add`,
              path.join('.'),
              (whole: LooseObject) => put(at(whole, ...path) as LooseObject, 'x', 1),
            ] as const,
          ]
        : []),
    ]
  })
}
