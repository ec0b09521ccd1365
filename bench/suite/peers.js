import { spawnSync } from 'node:child_process'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (/** @type {string} */ name) => fileURLToPath(new URL(`../peers/${name}`, import.meta.url))

/** Installs what we are compared with, into a folder of its own, unless it stands there. Without it their rows say so. */
export function installPeers() {
  const done = at('node_modules/.installed')
  if (existsSync(done) && statSync(done).mtimeMs >= statSync(at('package-lock.json')).mtimeMs) return
  console.error('bench: installing the peers …')
  const { status, stderr } = spawnSync('npm', ['ci', '--prefer-offline', '--fetch-retries=1', '--loglevel=error'], { cwd: at('.'), encoding: 'utf8', timeout: 300_000 }) // prettier-ignore
  if (status === 0) writeFileSync(done, '')
  else console.error(`bench: they could not be installed, and are left out: ${stderr.trim().split('\n', 1)[0] ?? ''}`)
}
