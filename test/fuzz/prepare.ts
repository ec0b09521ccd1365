import { s256 } from '../../src/encoding.js'
import type { Snapshot } from '../../src/ports/deciding.js'
import type { Shown } from '../../src/verifier/verifier.js'
import { ENCODINGS } from './break-lists.js'
import { AGE, LISTS, NOW, digestOfToken } from './cast.js'
import type { Break, Edit } from './edit.js'
import { enveloped } from './identities.js'
import type { Outcome } from './model.js'
import { type Asked, type Draft, type LooseObject, type Scene, clone, seal, signed, textOf, write } from './scene.js'

/** The lists as they are when nobody touched them; the same objects, so that they are opened once. */
export const STATUS_LISTS_UNTOUCHED: ReadonlyMap<string, Snapshot> = new Map(
  [...LISTS].map(([url, draft]) => [url, { token: seal(draft) }]),
)

export interface Prepared {
  readonly shown: Shown
  readonly tokens: readonly string[]
  readonly asked: Asked
  readonly approval: string | undefined
  readonly outcome: Outcome
  readonly snapshots: ReadonlyMap<string, Snapshot>
  /** what is sent again: the same claims under another name */
  readonly renew: (time: number) => { readonly shown: Shown; readonly approval: string | undefined }
}

interface Edited {
  readonly draft: Draft
  readonly token: string
}

/** A token with one thing changed. */
function edited(good: Draft, edit: Edit = {}): Edited {
  const claims = (edit.claims === undefined ? good.claims : clone(good.claims)) as LooseObject
  const header = { ...good.header }
  if (edit.author !== undefined) header['kid'] = edit.author.kid
  edit.claims?.(claims)
  edit.header?.(header)
  const signer = edit.author ?? edit.signer ?? good.signer
  const raw = edit.raw ?? ((head: string, payload: string) => signed(head, payload, signer))
  const token = raw(write(header), write(claims), signer)
  return { draft: { header, claims, signer }, token: edit.token?.(token) ?? token }
}

/** Signs a scene with one thing broken. */
export function prepare(scene: Scene, broken: Break): Prepared {
  const drafts: Draft[] = []
  const tokens: string[] = []
  for (const [index, good] of scene.links.entries()) {
    const first = broken.link?.index ?? Infinity
    if (index < first) {
      drafts.push(good)
      tokens.push(scene.tokens[index]!)
      continue
    }
    const above = tokens.at(-1)
    const due = index === first || broken.orphans === true || above === undefined ? good : renamed(good, above)
    const { draft, token } = edited(due, index === first ? broken.link?.edit : {})
    drafts.push(draft)
    tokens.push(token)
  }
  const sent = broken.order?.(tokens) ?? tokens
  const asked = copyOf(scene.asked)
  broken.asked?.(asked)
  const bare = clone(scene.shown.claims) as LooseObject
  if (broken.isSigned === true) {
    const request = bare['request'] as LooseObject
    const { action, resource, params } = asked
    Object.assign(request, { action, resource, paramsDigest: s256(write(params)) })
  }
  if (broken.identity !== undefined || broken.vouching !== undefined) {
    const { index: place, edit } = broken.identity ?? {}
    const vouching = scene.identities.map((good, index) =>
      index === place ? edited(good, edit).token : scene.identityTokens[index]!,
    )
    bare['identity'] = enveloped(broken.vouching?.(vouching) ?? vouching)
  }
  const full = { ...scene.shown, claims: withChain(bare, scene.inline, sent) }
  const shown = edited(full, broken.shown)
  let approval: Edited | null = null
  if (scene.approval !== null && broken.approval !== 'none') {
    const claims = { ...(scene.approval.claims as LooseObject), leaf: digestOfToken(sent.at(-1) ?? '') }
    if (broken.isSigned === true) {
      const { action, resource, paramsDigest } = bare['request'] as LooseObject
      Object.assign(claims, { action, resource, paramsDigest })
    }
    approval = edited({ ...scene.approval, claims }, broken.approval)
  }
  const snapshots = new Map(STATUS_LISTS_UNTOUCHED)
  const lists = new Map(LISTS)
  if (broken.list !== undefined) {
    const { url } = broken.list
    if ('serve' in broken.list) {
      if (broken.list.serve === null) snapshots.delete(url)
      else snapshots.set(url, { token: broken.list.serve })
    } else {
      const { draft, token } = edited(LISTS.get(url)!, broken.list.edit)
      lists.set(url, draft)
      snapshots.set(url, { token })
    }
  }
  const outcome: Outcome = {
    links: drafts,
    digests: tokens.map(digestOfToken),
    shown: shown.draft,
    approval: approval?.draft ?? null,
    lists,
    asked,
    now: broken.now ?? NOW,
    age: broken.age ?? AGE,
    bits: encoded => (typeof encoded === 'string' ? (ENCODINGS.get(encoded) ?? null) : null),
    holders: broken.heir === undefined ? scene.holders : [...scene.holders.slice(0, -1), broken.heir],
  }
  const wrap = (token: string): Shown => (scene.inline ? token : { proof: token })
  return {
    shown: wrap(shown.token),
    tokens: sent,
    asked,
    approval: approval?.token,
    outcome,
    snapshots,
    renew: time => ({
      shown: wrap(edited(full, { claims: claims => (claims['jti'] = s256(`${textOf(claims['jti'])} ${time}`)) }).token),
      approval:
        approval === null
          ? undefined
          : edited(approval.draft, { claims: claims => (claims['jti'] = s256(`${textOf(claims['jti'])} ${time}`)) })
              .token,
    }),
  }
}

/** `Object.assign` would lose what a break put under strange names. */
function copyOf(asked: Asked): Asked {
  return { ...asked, params: clone(asked.params) }
}

/** A link that names the token above it. */
function renamed(good: Draft, above: string): Draft {
  const claims = good.claims as LooseObject
  const subject = claims['credentialSubject'] as LooseObject
  const authority = subject['authority'] as LooseObject
  const parent = { ...(authority['parent'] as LooseObject), digest: digestOfToken(above) }
  return { ...good, claims: { ...claims, credentialSubject: { ...subject, authority: { ...authority, parent } } } }
}

/** The claims of what is shown, with its chain. */
export function withChain(claims: LooseObject, inline: boolean, tokens: readonly string[]): LooseObject {
  return inline
    ? { ...claims, verifiableCredential: enveloped(tokens) }
    : { ...claims, leaf: digestOfToken(tokens.at(-1) ?? '') }
}
