import { randomBytes } from 'node:crypto'
import { mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ResourceServerRow, ServerDesk } from '../adapters/cli/resource-servers.js'
import { readAgentFile } from '../adapters/veramo/agent-file.js'
import { addEntry, editAgentFile, removeEntry } from '../adapters/veramo/edit-agent-file.js'
import { s256 } from '../encoding.js'
import { ProcuraError } from '../errors.js'
import { checkConfig } from './config-check.js'
import { readConfig, type Config } from './config.js'
import { readPolicy } from './verifier.js'

type Environment = Readonly<Record<string, string | undefined>>
const AT = ['procura', 'resourceServers'] as const

/** The resource servers that an agent file names. */
export function openServers(path: string, environment: Environment): ServerDesk {
  const listed = async (): Promise<Config['resourceServers']> =>
    (await readConfig(await readAgentFile(path, environment), environment)).resourceServers
  /** What was wrong before is not the edit's. */
  const check = async (before: string, after: string): Promise<void> => {
    const old = new Set((await checkConfig(path, environment, before)).findings.map(one => one.why))
    const { findings } = await checkConfig(path, environment, after)
    const found = findings.find(({ level, why }) => level === 'error' && !old.has(why))
    if (found !== undefined) {
      throw new ProcuraError('CONFIG_INVALID', { at: `${path} ${found.path}`, why: `${found.why}; ${found.remedy}` })
    }
  }
  return {
    list: async () => Promise.all((await listed()).map(rowOf)),

    async add(name, policy, secretFile) {
      if ((await listed()).some(one => one.name === name)) {
        throw new ProcuraError('FILE_EXISTS', { file: `resource server ${name}` })
      }
      const secret = randomBytes(32).toString('base64url')
      const secretHash = s256(secret)
      if (secretFile !== undefined) await writeNew(secretFile, `${secret}\n`)
      try {
        await editAgentFile(path, document => addEntry(document, AT, { name, secretHash, policy }), check)
      } catch (error) {
        if (secretFile !== undefined) await unlink(secretFile)
        throw error
      }
      return { ...(await rowOf({ name, secretHash: [secretHash], policy })), secret }
    },

    async remove(name, isDry) {
      const found = (await listed()).find(one => one.name === name)
      if (found === undefined) throw new ProcuraError('NOT_FOUND', { what: `resource server ${name}` })
      const row = await rowOf(found)
      if (!isDry) await editAgentFile(path, document => removeEntry(document, AT, name), check)
      return row
    },
  }
}

/** A file that nobody but this user reads, and that was not there. @throws FILE_EXISTS, KEY_FILE */
export async function writeNew(path: string, text: string, mode = 0o600): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    const handle = await open(path, 'wx', mode)
    await handle
      .writeFile(text)
      .then(() => handle.sync())
      .finally(() => handle.close())
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    if (code === 'EEXIST') throw new ProcuraError('FILE_EXISTS', { file: path }, { cause })
    throw new ProcuraError('KEY_FILE', { file: path, why: `cannot be written (${code})` }, { cause })
  }
}

async function rowOf(one: Config['resourceServers'][number]): Promise<ResourceServerRow> {
  const { name, policy, secretHash } = one
  const audience = await readPolicy(policy).then(
    ({ self }) => self,
    () => null,
  )
  return { name, audience, policy, secrets: secretHash.length }
}
