import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { chown, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'

/** Where Debian and others keep the programs of each version. */
const INSTALLED = '/usr/lib/postgresql'
const RUNNING = process.env['PROCURA_TEST_POSTGRES'] ?? 'postgres://root@127.0.0.1:5432/postgres'

/**
 * Finds PostgreSQL for the whole run and names it in PROCURA_TEST_POSTGRES: the server named there, the one of this
 * machine, or one started from installed programs in a temporary folder. Without any the variable is empty, which is a
 * failure where CI is true.
 *
 * @returns what stops a server that was started
 */
export default async function setup(): Promise<() => Promise<void>> {
  if (await answers(RUNNING)) {
    process.env['PROCURA_TEST_POSTGRES'] = RUNNING
    return () => Promise.resolve()
  }
  const started = await startPostgres().catch((error: unknown) => {
    if (process.env['CI'] === 'true') throw error
    console.warn(
      `\n  SKIPPED: everything on PostgreSQL. None answers at ${RUNNING}, and none starts:\n  ${String(error)}\n`,
    )
    return null
  })
  process.env['PROCURA_TEST_POSTGRES'] = started?.url ?? ''
  return started?.stop ?? (() => Promise.resolve())
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  return client.connect().then(
    () => client.end().then(() => true),
    () => false,
  )
}

/** A server of one's own. */
export interface PostgresServer {
  readonly url: string
  /** To all of its processes as they are: `SIGSTOP`, `SIGCONT`. */
  readonly signal: (name: NodeJS.Signals) => Promise<void>
  /** Ends it as a crash does. */
  readonly kill: () => Promise<unknown>
  /** Starts it after that, on the same port. */
  readonly start: () => Promise<unknown>
  readonly stop: () => Promise<void>
}

/** The newest that is installed; `undefined` if none is. */
export function installedPostgres(): string | undefined {
  const versions = existsSync(INSTALLED) ? readdirSync(INSTALLED) : []
  return versions.sort((a, b) => Number(b) - Number(a))[0]
}

/** Starts a server on a free port, in a temporary folder, that forgets what a crash of the machine would lose. */
export async function startPostgres(): Promise<PostgresServer> {
  const newest = installedPostgres()
  if (newest === undefined) throw new Error(`there is no PostgreSQL in ${INSTALLED}`)
  const bin = join(INSTALLED, newest, 'bin')
  const folder = await mkdtemp(join(tmpdir(), 'procura-postgres-'))
  const user = await unprivileged(folder)
  const run = (program: string, ...given: string[]) =>
    promisify(execFile)(join(bin, program), given, { ...user, cwd: folder })
  const [data, port] = [join(folder, 'data'), await freePort()]
  const settings = `-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c fsync=off`
  await run('initdb', '-D', data, '-A', 'trust', '-U', 'root', '--no-sync')
  // its own log file: a server that kept our pipe would keep us
  const start = () => run('pg_ctl', '-D', data, '-o', settings, '-l', join(folder, 'log'), '-w', 'start')
  const kill = () => run('pg_ctl', '-D', data, '-m', 'immediate', 'stop')
  await start()
  return {
    url: `postgres://root@127.0.0.1:${port}/postgres`,
    async signal(name) {
      const [first = ''] = (await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')
      const others = (await readFile(`/proc/${first}/task/${first}/children`, 'utf8')).trim().split(' ')
      for (const pid of [first, ...others]) process.kill(Number(pid), name)
    },
    kill,
    start,
    async stop() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** PostgreSQL refuses to run as root; the folder is given to whom it runs as. */
async function unprivileged(folder: string): Promise<{ uid?: number; gid?: number }> {
  if (process.getuid?.() !== 0) return {}
  const { uid, gid } = await stat('/var/lib/postgresql').catch(() => ({ uid: 65_534, gid: 65_534 }))
  await chown(folder, uid, gid)
  return { uid, gid }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
