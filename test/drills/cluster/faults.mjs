import { spawnSync } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { statfsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/** @typedef {Awaited<ReturnType<typeof import('./cluster.mjs').startCluster>>} Cluster */
/** @typedef {{ readonly holds: readonly [number, number], readonly begin: () => unknown, readonly end?: () => unknown }} Fault `holds`: seconds, at least and at most */

/** What can happen to a cluster. @param {Cluster} cluster @returns {Record<string, Fault>} */
export function faultsOf(cluster) {
  const { issuers, verifiers, database, memory, ports, disks } = cluster
  const all = [...issuers, ...verifiers]
  /** @template T @param {readonly T[]} from @returns {T} */
  const one = from => /** @type {T} */ (from[Math.floor(Math.random() * from.length)])

  /** @param {readonly import('./services.mjs').Member[]} from @returns {Fault} */
  const frozen = from => {
    /** @type {import('./services.mjs').Member | undefined} */
    let member
    return { holds: [3, 12], begin: () => (member = one(from)).signal('SIGSTOP'), end: () => member?.signal('SIGCONT') }
  }
  /** @param {import('./servers.mjs').Server} server @returns {Record<string, Fault>} */
  const died = server => ({
    [`${server.name} killed, started again`]: { holds: [1, 4], begin: () => server.crash(), end: () => server.start() },
    [`${server.name} SIGSTOP`]: {
      holds: [3, 14],
      begin: () => server.signal('SIGSTOP'),
      end: () => server.signal('SIGCONT'),
    },
    [`${server.name} cut off`]: { holds: [3, 14], begin: () => cut(server.port), end: () => mend() },
  })
  /** @param {readonly import('./services.mjs').Member[]} from @param {number} seconds @returns {Fault} */
  const stepped = (from, seconds) => {
    /** @type {import('./services.mjs').Member | undefined} */
    let member
    return { holds: [4, 10], begin: () => (member = from.at(-1))?.setClock(seconds), end: () => member?.setClock(0) }
  }
  /** @param {string} disk @param {() => Promise<void>} [healed] @returns {Fault} */
  const full = (disk, healed) => {
    const balloon = join(disk, 'balloon')
    return {
      holds: [3, 6],
      begin: () => fill(balloon),
      async end() {
        await rm(balloon, { force: true })
        await healed?.()
      },
    }
  }
  return {
    'an issuer kill -9': { holds: [0, 0], begin: () => one(issuers).kill() },
    'a verifier kill -9': { holds: [0, 0], begin: () => one(verifiers).kill() },
    'an issuer SIGSTOP': frozen(issuers),
    'a verifier SIGSTOP': frozen(verifiers),
    ...died(database),
    ...(memory === null ? {} : died(memory)),
    'verifiers cut off from issuers': { holds: [6, 14], begin: () => cut(ports.between), end: () => mend() },
    'a storm of restarts': { holds: [0, 0], begin: () => storm(all) },
    'a clock 600 s ahead, issuer': stepped(issuers, 600),
    'a clock 600 s ahead, verifier': stepped(verifiers, 600),
    'a clock 600 s back, issuer': stepped(issuers, -600),
    'a clock 600 s back, verifier': stepped(verifiers, -600),
    'disk of the audit logs full': full(disks.audit),
    'disk of the database full': full(disks.database, () => database.start()),
  }
}

/** All are killed, and again while they start. @param {readonly import('./services.mjs').Member[]} all */
async function storm(all) {
  for (let times = 0; times < 4; times += 1) {
    for (const member of all) member.kill()
    await setTimeout(300 + Math.random() * 2000)
  }
}

/** Nothing arrives at this port any more, and nobody is told. @param {number} port */
function cut(port) {
  for (const side of ['dport', 'sport']) nft('add', 'rule', 'inet', 'drill', 'in', 'tcp', side, String(port), 'drop')
}

function mend() {
  nft('flush', 'chain', 'inet', 'drill', 'in')
}

/** Where rules are put. */
export function prepareCuts() {
  nft('add', 'table', 'inet', 'drill')
  nft('add', 'chain', 'inet', 'drill', 'in', '{ type filter hook input priority 0 ; }')
}

/** @param {...string} given */
function nft(...given) {
  const { status, stderr } = spawnSync('nft', given, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`nft: ${stderr}`)
}

/** Takes what is left of a disk. @param {string} balloon */
async function fill(balloon) {
  const { bavail, bsize } = statfsSync(join(balloon, '..'))
  // the last pages go to whoever asks first
  for (const size of [bavail * bsize, 65_536, 4096]) {
    await writeFile(balloon, Buffer.alloc(size), { flag: 'a' }).catch(error => {
      if (error.code !== 'ENOSPC') throw error
    })
  }
}
