// Credo: `verifyPresentation` of its VC 2.0 service, which reads the same envelopes, with its key service on
// node:crypto. It verifies the presentation and every credential in it, and resolves every signer's did:key anew.
import { Agent, InjectionSymbols, Kms, W3cV2CredentialService, W3cV2JwtVerifiablePresentation } from '@credo-ts/core'
import { agentDependencies, NodeInMemoryKeyManagementStorage, NodeKeyManagementService } from '@credo-ts/node'
import { presentUnchained, SELF } from '../inputs.js'
import { row, several } from '../rows/row.js'

/** Nothing is kept and nothing found: verifying writes nothing. */
const storage = {
  ...{ save: async () => {}, update: async () => {}, delete: async () => {}, deleteById: async () => {} },
  ...{ getById: async () => null, getAll: async () => [], findByQuery: async () => [] },
}

export async function prepare() {
  const kept = { register: manager => manager.registerInstance(InjectionSymbols.StorageService, storage) }
  const backends = [new NodeKeyManagementService(new NodeInMemoryKeyManagementStorage())]
  const agent = new Agent({
    dependencies: agentDependencies,
    modules: { kept, kms: new Kms.KeyManagementModule({ backends }) },
  })
  const service = agent.dependencyManager.resolve(W3cV2CredentialService)
  const verify = async presentation => {
    const read = W3cV2JwtVerifiablePresentation.fromCompact(presentation)
    const { isValid, error, validations } = await service.verifyPresentation(agent.context, {
      presentation: read,
      domain: SELF,
    })
    if (!isValid) throw error ?? new Error(JSON.stringify(validations))
  }
  return { 'credo-3': row(count => several(count, presentUnchained), verify) }
}
