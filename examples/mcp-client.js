// @ts-check
// The planner of wallet.js calls a tool: node examples/mcp-client.js <credential>
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { getDefaultEnvironment, StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { McpError } from '@modelcontextprotocol/sdk/types.js'
import { agentTools, toolDigest } from 'procura/mcp'
import { openWallet } from 'procura/wallet'

const credential = process.argv[2]
const service = process.env.PROCURA_ADDRESS ?? 'http://127.0.0.1:8080'

const env = { ...getDefaultEnvironment(), PROCURA_ADDRESS: service }
const args = [new URL('mcp-server.js', import.meta.url).pathname]
const client = new Client({ name: 'planner', version: '1.0.0' })
await client.connect(new StdioClientTransport({ command: process.execPath, args, env }))
if (credential === undefined) {
  // what a server pins, once somebody has read it
  for (const tool of (await client.listTools()).tools) console.log(tool.name, toolDigest(tool))
} else {
  const wallet = await openWallet({
    storage: 'sqlite://data/var/wallet.db',
    roots: ['did:web:procura.example'],
    connect: { 'https://procura.example': service },
  })
  const planner = await wallet.agent('planner')
  await planner.receive(credential)
  const callTool = agentTools(planner, client, 'https://api.example/mcp')
  try {
    console.log(await callTool({ name: 'book', arguments: { amount: 32_000 } }))
  } catch (refused) {
    if (!(refused instanceof McpError)) throw refused
    console.log(refused.data) // a refusal is a problem document
  }
  await wallet.close()
}
await client.close()
