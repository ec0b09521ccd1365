import { columns, members, show, type Output } from './output.js'
import type { Terminal } from './terminal.js'

/** A resource server of an agent file. */
export interface ResourceServerRow {
  readonly name: string
  /** `self` of its policy; `null` if that cannot be read */
  readonly audience: string | null
  /** path of its policy */
  readonly policy: string
  /** how many secrets count */
  readonly secrets: number
}

/** The resource servers of an agent file. */
export interface ServerDesk {
  list(): Promise<readonly ResourceServerRow[]>
  /** @returns its secret, which is kept nowhere else @throws CONFIG_INVALID, FILE_EXISTS */
  add(name: string, policy: string, secretFile?: string): Promise<ResourceServerRow & { readonly secret: string }>
  /** @throws NOT_FOUND, CONFIG_INVALID */
  remove(name: string, isDry: boolean): Promise<ResourceServerRow>
}

const RESTART = 'restart the service: it reads its agent file when it starts'

/** Adds a resource server, and prints its secret unless a file takes it. */
export async function addServer(
  name: string,
  { policy, secretFile, output }: Output & { readonly policy: string; readonly secretFile?: string },
  { desk, terminal }: { readonly desk: ServerDesk; readonly terminal: Terminal },
): Promise<void> {
  const { secret, ...row } = await desk.add(name, policy, secretFile)
  const answer = { ...row, ...(secretFile === undefined ? { secret } : { secretFile }) }
  show(terminal, { output }, answer, () => members(answer))
  if (secretFile === undefined) terminal.tell('the secret is shown this once; only its hash is kept')
  terminal.tell(RESTART)
}

/** Prints the resource servers. */
export async function listServers(
  options: Output,
  { desk, terminal }: { readonly desk: ServerDesk; readonly terminal: Terminal },
): Promise<void> {
  const rows = await desk.list()
  const cells = rows.map(({ name, audience, secrets, policy }) => [name, audience ?? '?', secrets, policy])
  show(terminal, options, rows, () => columns([['name', 'audience', 'secrets', 'policy'], ...cells]))
}

/** Takes a resource server out: its secret counts no more after the next start. */
export async function removeServer(
  name: string,
  { dryRun = false, ...options }: Output & { readonly dryRun?: boolean },
  { desk, terminal }: { readonly desk: ServerDesk; readonly terminal: Terminal },
): Promise<void> {
  const row = await desk.remove(name, dryRun)
  show(terminal, options, { ...row, removed: !dryRun }, () => members({ ...row, removed: !dryRun }))
  if (!dryRun) terminal.tell(RESTART)
}
