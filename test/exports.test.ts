import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

/** What others build on: a name that comes or goes shows here, and in a review. */
const ROOT = join(import.meta.dirname, '..')
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, string> }
const SUBPATHS = Object.entries(exports)

test('the public names of every subpath: values', async () => {
  const names: Record<string, string> = {}
  for (const [subpath, file] of SUBPATHS)
    names[subpath] = Object.keys((await import(join(ROOT, file))) as object)
      .sort()
      .join(' ')
  expect(names).toMatchInlineSnapshot(`
    {
      ".": "ERRORS ProcuraError bodyDigest canonicalize createIssuer createRegistrar createVerifier createWallet digestOf fromDidKey isProcuraError openJws paramsDigest parseIssuingPolicy parsePolicy parsePublicKey readJws signJws toDidKey",
      "./client": "createClient",
      "./express": "acceptChains requireAuthority",
      "./fastify": "acceptChains requireAuthority",
      "./hono": "acceptChains requireAuthority",
      "./issuer": "OPERATOR openIssuer",
      "./mcp": "agentBearer agentTools authorityOf bearerVerifier guardTools toolDigest",
      "./service": "openService",
      "./testing": "testAuthority",
      "./veramo": "ProcuraPlugin VcJoseProvider createVeramoAgent readAgentFile",
      "./verifier": "createVerifier fileAudit postgresState readPolicy redisState remoteVerifier singleProcessState sqliteState",
      "./wallet": "openWallet",
    }
  `)
})

test('the public names of every subpath: types', () => {
  const files = SUBPATHS.map(([, file]) => join(ROOT, file).replace(/\.js$/, '.d.ts'))
  const { NodeNext } = ts.ModuleKind
  const program = ts.createProgram(files, {
    module: NodeNext,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
  })
  const checker = program.getTypeChecker()
  const names: Record<string, string> = {}
  for (const [index, [subpath]] of SUBPATHS.entries()) {
    const source = program.getSourceFile(files[index]!)
    const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
    const all = module === undefined ? [] : checker.getExportsOfModule(module)
    names[subpath] = all
      .filter(symbol => !isValue(symbol, checker))
      .map(symbol => symbol.name)
      .sort()
      .join(' ')
  }
  expect(names).toMatchInlineSnapshot(`
    {
      ".": "Additions Agent AgentClass Announced Announcement Answers Asked Audit Authority AuthorityDraft Budget Call Caller Chains Charge Class Clock Code Commitment Commits Constraint Credentials Decision Delegation Did DidUrl Digest Evidence Facts FeedPositions Grant GrantJson GrantRequest GrantUse Held Hold HoldState Holding HoldingQuery HoldingRecord Holdings HostedDids HostedKey Ids Issuer IssuerPorts IssuingKeys IssuingPolicy Json JsonObject KeyHolder KeyVersion Keys Kind Lease Leased LeasedIndexes Ledger Lifetimes ListVersions LocalVerifier Marker Nonces Outbox Policy PolicyGrant PublicKey Rate ReceivedRequest Registrar RegistrarPorts Registration Relationship Reservations RevocationEvent Revocations Revoked Risk Root Scalar Sealed SealedKey SealedKeys Settlement Signer SigningKey SigningKeys Snapshot State StatusIssuer StatusLeases StatusLists StatusPlace StatusPurpose StatusRows StoredCredential StoredList Streams Subject SubjectKind SubjectQuery SubjectState Subjects TakeIndex Throttle Transactions Use Vault Verified Verifier VerifierPorts Wallet WalletPorts",
      "./client": "CallOptions Client ClientOptions OperationName",
      "./express": "Allowed GuardOptions",
      "./fastify": "Allowed GuardOptions Guarded",
      "./hono": "Allowed GuardOptions GuardedEnv",
      "./issuer": "IssuerOptions OpenIssuer RootGrant SubjectRegistration",
      "./mcp": "AgentCallTool AgentToolCall Allowed PinnedTool ToolGuardOptions",
      "./service": "Service ServiceOptions",
      "./testing": "TestAgent TestAuthority TestClock TestGrant TestOptions TestRequest",
      "./veramo": "AgentFile DecideArgs DelegateArgs PluginVerifier PluginWallet PresentArgs ProcuraMethods ProcuraPluginOptions ReceiveArgs Registry VcJoseOptions VeramoAgent",
      "./verifier": "Commitment DatabaseState Decision FeedStanding LocalVerifier OpenVerifier RemoteOptions State Verifier VerifierOptions",
      "./wallet": "Agent AgentFetch AgentRequest AgentResponse ApprovalRequest Confirm Delegation Held HeldQuery InventoryEntry InventoryFlag NewAgent OpenWallet Refusal SubAgent WalletAgent WalletOptions",
    }
  `)
})

test('importing does nothing: no output, no handle or timer left, nobody listens to signals or faults', () => {
  const imports = SUBPATHS.map(([subpath]) => `await import(${JSON.stringify(subpath.replace(/^\./, 'procura'))})`)
  const program = `
    const before = process.getActiveResourcesInfo()
    ${imports.join('\n')}
    await new Promise(resolve => setTimeout(resolve, 50))
    const left = process.getActiveResourcesInfo().filter(name => !['PipeWrap', ...before].includes(name))
    const events = ['SIGINT', 'SIGTERM', 'beforeExit', 'uncaughtException', 'unhandledRejection']
    const heard = events.filter(name => process.listenerCount(name) > 0)
    if (left.length + heard.length > 0) throw new Error([...left, ...heard].join(' '))
  `
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: ROOT,
    encoding: 'utf8',
    timeout: 30_000,
  })
  expect({ stdout, stderr, status }).toEqual({ stdout: '', stderr: '', status: 0 })
})

function isValue(symbol: ts.Symbol, checker: ts.TypeChecker): boolean {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return (target.flags & ts.SymbolFlags.Value) !== 0
}
