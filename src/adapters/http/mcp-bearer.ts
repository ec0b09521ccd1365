import { InsufficientScopeError, InvalidTokenError, ServerError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import type { OAuthTokenVerifier } from '@modelcontextprotocol/sdk/server/auth/provider.js'
import { bearerRequest } from '../../presentation/tool-call.js'
import type { Verifier } from '../../verifier/verifier.js'
import { answer, type Refused } from './guard.js'
import { toAuthInfo } from './mcp-guard.js'

/**
 * For servers that know bearer tokens and nothing else: the `verifier` of `requireBearerAuth`. The token is a
 * presentation for the action `mcp:connect` on the server's URL, and is used up by one HTTP request. It says who calls;
 * what is called stays unbound, because a bearer check sees neither body nor tool: `guardTools` binds that. A policy that
 * challenges `mcp:connect` lets nobody in, because no nonce can be handed out.
 *
 * @param url - the MCP server's own https URL
 */
export function bearerVerifier(verifier: Verifier, url: string): OAuthTokenVerifier {
  const received = bearerRequest(url)
  return {
    async verifyAccessToken(token) {
      const verdict = await answer(verifier, false, () => ({ received, credentials: () => ({ shown: token }) }))
      if (!verdict.allow) throw toOAuth(verdict.problem)
      return toAuthInfo(verdict.authority, received.action, { resource: new URL(url) })
    },
  }
}

/** The SDK writes the message into a header: a code or a title is all it may hold. */
function toOAuth({ status, code, title }: Refused): Error {
  const message = code ?? title
  if (status === 403) return new InsufficientScopeError(message)
  return status >= 500 ? new ServerError(message) : new InvalidTokenError(message)
}
