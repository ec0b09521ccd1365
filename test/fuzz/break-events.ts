import type { Did } from '../../src/did/did.js'
import { AGENTS, EVERYBODY, MALLORY, OWNER, STATUS_WEB, digestOfToken } from './cast.js'
import type { Break, Breaker } from './edit.js'
import { isRead } from './identities.js'
import type { Random } from './random.js'
import { type Scene, at, type LooseObject } from './scene.js'

/** Who may take a link back: its issuer, those above, and whose status lists are in force for it. */
function mayRevoke({ links }: Scene, index: number): readonly Did[] {
  const stated = at(links[0]!.claims, 'credentialSubject', 'authority', 'statusIssuers') as LooseObject[]
  return [...links.slice(0, index + 1).map(({ signer }) => signer.did), ...stated.map(({ iss }) => iss as Did)]
}

/** Somebody who may, as often as somebody who may not: strangers, the agent itself, and whoever comes below it. */
function signerOf(random: Random, may: readonly Did[], { holders }: Scene): Did {
  if (random.chance(0.5)) return random.pick(may)
  const others = [...holders, ...holders, ...EVERYBODY].map(({ did }) => did)
  return random.pick(others.filter(did => !may.includes(did)))
}

function broken(what: string, target: NonNullable<Break['event']>['target'], signer: Did, due: string): Break {
  const whose = due === 'allow' ? 'of somebody who may not' : 'of somebody who may'
  return { place: `event ${what} ${whose}`, detail: `${signer} on ${target}`, event: { target, signer }, due }
}

/** An agent of the chain is stopped; now and then somebody whom no link is made out to. */
export const killed: Breaker = (random, scene) => {
  const index = random.int(0, scene.links.length - 1)
  const { did } = scene.holders[index]!
  const may = [...mayRevoke(scene, index), ...scene.policy.identityIssuers]
  if (random.chance(0.15)) {
    const absent = [OWNER, STATUS_WEB, MALLORY, ...AGENTS].filter(one => !scene.holders.includes(one))
    return broken('kill of another', random.pick(absent).did, random.pick(may), 'allow')
  }
  const signer = signerOf(random, may, scene)
  return broken('kill', did, signer, may.includes(signer) ? 'AGENT_KILLED' : 'allow')
}

/** A link or an identity credential is taken back. Who vouches for agents takes back what it signed, and no link. */
export const revoked: Breaker = (random, scene) => {
  const { links, tokens, identities, identityTokens, policy } = scene
  if (random.chance(0.4) && identities.length > 0) {
    const index = random.int(0, identities.length - 1)
    const may = [identities[index]!.signer.did]
    const signer = signerOf(random, may, scene)
    const due = isRead(scene) && may.includes(signer) ? 'STATUS_REVOKED' : 'allow'
    return broken(`identity${isRead(scene) ? '' : ' unread'}`, digestOfToken(identityTokens[index]!), signer, due)
  }
  const index = random.int(0, links.length - 1)
  const may = mayRevoke(scene, index)
  const registries = [...policy.identityIssuers].filter(did => !may.includes(did))
  const isRegistry = registries.length > 0 && random.chance(0.25)
  const signer = isRegistry ? random.pick(registries) : signerOf(random, may, scene)
  return broken('link', digestOfToken(tokens[index]!), signer, may.includes(signer) ? 'STATUS_REVOKED' : 'allow')
}
