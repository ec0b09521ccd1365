export { agentBearer, agentTools, type AgentCallTool, type AgentToolCall } from '../adapters/client/agent-tools.js'
export type { Allowed } from '../adapters/http/allowed.js'
export { bearerVerifier } from '../adapters/http/mcp-bearer.js'
export {
  authorityOf,
  guardTools,
  toolDigest,
  type PinnedTool,
  type ToolGuardOptions,
} from '../adapters/http/mcp-guard.js'
