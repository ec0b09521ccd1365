import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openIssuer, type OpenIssuer } from '../../src/entry/issuer.js'
import { openService, type Service } from '../../src/entry/service.js'
import { openWallet, type OpenWallet } from '../../src/entry/wallet.js'
import { isProcuraError } from '../../src/errors.js'
import type { JsonObject } from '../../src/json.js'

export const ORIGIN = 'https://id.acme.example'
export const API = 'https://api.acme.example'
export const SECRET = 'a-bearer-secret-of-the-api-server'

/** A service in a folder of its own, on real HTTP, with its operator and wallets. */
export interface Home {
  readonly folder: string
  readonly config: string
  readonly service: Service
  readonly issuer: OpenIssuer
  readonly connect: Record<string, string>
  readonly defects: unknown[]
  wallet(): Promise<OpenWallet>
  /** Grants to a subject, which is registered as a person on the way. */
  grant: OpenIssuer['grant']
  close(): Promise<void>
}

export const POLICY: JsonObject = {
  self: API,
  roots: [{ issuer: 'did:web:id.acme.example', grants: [{ resource: `${API}/**`, actions: ['read', 'write'] }] }],
}

/** Writes an agent file with the given `procura:` block over the defaults of the tests. */
export async function writeConfig(folder: string, block: JsonObject = {}, policy = POLICY): Promise<string> {
  const template = await readFile(join(import.meta.dirname, '../../agent.yml'), 'utf8')
  await writeFile(join(folder, 'policy.json'), JSON.stringify(policy))
  const procura = {
    origin: ORIGIN,
    storage: `sqlite://${join(folder, 'acme.db')}`,
    keyFile: join(folder, 'acme.key'),
    operator: `sqlite://${join(folder, 'operator.db')}`,
    audit: join(folder, 'audit'),
    listen: { host: '127.0.0.1', port: 0 },
    resourceServers: [
      {
        name: 'api',
        secretHash: createHash('sha256').update(SECRET).digest('base64url'),
        policy: join(folder, 'policy.json'),
      },
    ],
    ...block,
  }
  const path = join(folder, 'agent.yml')
  await writeFile(
    path,
    template.replace(/^procura:\n(?:[ #].*\n|\n)*?(?=^\w)/m, `procura: ${JSON.stringify(procura)}\n\n`),
  )
  return path
}

/**
 * @param policy - of its one resource server
 * @param environment - `PROCURA_*` variables
 * @param block - over the defaults of {@link writeConfig}
 */
export async function openTestHome(
  policy = POLICY,
  environment: Readonly<Record<string, string>> = {},
  block: JsonObject = {},
): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'procura-http-'))
  const config = await writeConfig(folder, block, policy)
  const defects: unknown[] = []
  const service = await openService({ config, environment, onDefect: defect => defects.push(defect) })
  const connect = { [ORIGIN]: service.address }
  const issuer = await openIssuer({ service: ORIGIN, storage: `sqlite://${join(folder, 'operator.db')}`, connect })
  const wallets: OpenWallet[] = []
  return {
    folder,
    config,
    service,
    issuer,
    connect,
    defects,
    async wallet() {
      const wallet = await openWallet({ storage: 'sqlite::memory:', roots: [service.did], service: ORIGIN, connect })
      wallets.push(wallet)
      return wallet
    },
    async grant(grant) {
      const person = { kind: 'person', did: grant.to, name: 'somebody' } as const
      await issuer.register(person).catch((error: unknown) => {
        if (!isProcuraError(error) || error.code !== 'SUBJECT_EXISTS') throw error
      })
      return issuer.grant(grant)
    },
    async close() {
      for (const wallet of wallets) await wallet.close()
      await issuer.close()
      await service.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
