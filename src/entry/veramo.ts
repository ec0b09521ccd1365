export { createVeramoAgent, type Registry, type VeramoAgent } from '../adapters/veramo/agent.js'
export { readAgentFile, type AgentFile } from '../adapters/veramo/agent-file.js'
export { VcJoseProvider, type VcJoseOptions } from '../adapters/veramo/provider.js'
export {
  ProcuraPlugin,
  type DecideArgs,
  type DelegateArgs,
  type PluginVerifier,
  type PluginWallet,
  type PresentArgs,
  type ReceiveArgs,
  type ProcuraMethods,
  type ProcuraPluginOptions,
} from '../adapters/veramo/plugin.js'
