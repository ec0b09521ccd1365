// zcap: a signed call under three delegated capabilities, all JSON-LD secured with Ed25519Signature2020, checked by
// `CapabilityInvocation`. Contexts, the root capability and the keys' documents are in memory; it keeps no keys.
import { Ed25519Signature2020 } from '@digitalbazaar/ed25519-signature-2020'
import { Ed25519VerificationKey2020 } from '@digitalbazaar/ed25519-verification-key-2020'
import {
  CapabilityDelegation,
  CapabilityInvocation,
  constants,
  createRootCapability,
  extendDocumentLoader,
} from '@digitalbazaar/zcap'
import jsigs from 'jsonld-signatures'
import { RECEIVED, SELF } from '../inputs.js'
import { row, several } from '../rows/row.js'

const SECURITY = 'https://w3id.org/security/v2'
const SUITE_CONTEXT = Ed25519Signature2020.CONTEXT_URL
const target = `${SELF}/bookings`

export async function prepare() {
  const people = await several(4, async () => {
    const key = await Ed25519VerificationKey2020.generate()
    const did = `did:key:${key.fingerprint()}`
    return Object.assign(key, { id: `${did}#${key.fingerprint()}`, controller: did })
  })
  const [owner, orchestrator, booker, caller] = people
  const root = createRootCapability({ controller: owner.controller, invocationTarget: target })
  const documents = new Map([
    [root.id, root],
    [SUITE_CONTEXT, Ed25519Signature2020.CONTEXT],
  ])
  for (const key of people) {
    documents.set(key.id, key.export({ publicKey: true, includeContext: true }))
    documents.set(key.controller, {
      '@context': [SECURITY, SUITE_CONTEXT],
      id: key.controller,
      ...Object.fromEntries(['capabilityInvocation', 'capabilityDelegation'].map(name => [name, [key.id]])),
    })
  }
  const documentLoader = extendDocumentLoader(url => {
    const document = documents.get(url)
    return document === undefined ? jsigs.strictDocumentLoader(url) : { contextUrl: null, documentUrl: url, document }
  })

  const sign = (document, key, purpose) =>
    jsigs.sign(document, { suite: new Ed25519Signature2020({ key }), purpose, documentLoader })
  const make = async () => {
    const expires = new Date(Date.now() + 1_800_000).toISOString()
    let above = root
    for (const [from, to] of [
      [owner, orchestrator],
      [orchestrator, booker],
      [booker, caller],
    ]) {
      const capability = {
        ...{ '@context': [constants.ZCAP_CONTEXT_URL, SUITE_CONTEXT], id: `urn:uuid:${crypto.randomUUID()}` },
        ...{ parentCapability: above.id, invocationTarget: target, controller: to.controller },
        ...{ allowedAction: [RECEIVED.action], expires },
      }
      above = await sign(
        capability,
        from,
        new CapabilityDelegation({ parentCapability: above === root ? root.id : above }),
      )
    }
    const call = {
      '@context': [SECURITY, constants.ZCAP_CONTEXT_URL, SUITE_CONTEXT],
      id: `urn:uuid:${crypto.randomUUID()}`,
      nonce: crypto.randomUUID(),
    }
    return sign(
      call,
      caller,
      new CapabilityInvocation({
        capability: above,
        capabilityAction: RECEIVED.action,
        invocationTarget: RECEIVED.resource,
      }),
    )
  }
  const call = async signed => {
    const purpose = new CapabilityInvocation({
      ...{ suite: new Ed25519Signature2020(), expectedRootCapability: root.id, allowTargetAttenuation: true },
      ...{ expectedAction: RECEIVED.action, expectedTarget: RECEIVED.resource },
    })
    const { verified, error } = await jsigs.verify(signed, {
      suite: new Ed25519Signature2020(),
      purpose,
      documentLoader,
    })
    if (!verified) throw error
  }
  return { 'zcap-3': row(count => several(count, make), call) }
}
