// @ts-check
// An MCP server with a guarded tool, over stdio; mcp-client.js starts it.
// #region readme
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { authorityOf, guardTools } from 'procura/mcp'
import { createVerifier, fileAudit, sqliteState } from 'procura/verifier'
import { z } from 'zod'

const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'

const verifier = await createVerifier({
  policy: 'data/policies/example.json',
  state: await sqliteState('data/var/mcp.db'),
  audit: await fileAudit('data/var/mcp.audit'),
  connect: { 'https://procura.example': service },
})
const server = new McpServer({ name: 'trips', version: '1.0.0' })
const trip = { description: 'Books a trip', inputSchema: { amount: z.int() } }
server.registerTool('book', trip, ({ amount }, extra) => ({
  content: [{ type: 'text', text: `booked for ${amount} by ${authorityOf(extra).holder}` }],
}))
const guard = guardTools(verifier, {
  url: 'https://api.example/mcp', // what calls are signed for, whatever they travel over
  tools: { book: { digest: 'TWAYIzaCS_trX-3_cY2AMffFR2qa6rQgixsJrdBIc4k' } }, // the tool as it was reviewed
})
await server.connect(guard(new StdioServerTransport()))
// #endregion
