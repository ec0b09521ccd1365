import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (/** @type {string} */ name) => fileURLToPath(new URL(`../peers/${name}`, import.meta.url))

/** Installs what we are compared with, into a folder of its own, unless it stands there. Without it their rows say so. */
export function installPeers() {
  const wanted = createHash('sha256')
    .update(readFileSync(at('package-lock.json')))
    .digest('hex')
  const installed = at('node_modules/.installed')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return
  console.error('bench: installing the peers …')
  const arguments_ = ['ci', '--prefer-offline', '--fetch-retries=1', '--loglevel=error']
  const { status, stderr } = spawnSync('npm', arguments_, { cwd: at('.'), encoding: 'utf8', timeout: 300_000 })
  if (status === 0) writeFileSync(installed, wanted)
  else console.error(`bench: they could not be installed, and are left out: ${stderr.trim().split('\n', 1)[0] ?? ''}`)
}
