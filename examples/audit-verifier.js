// Checks an exported bundle of an audit log offline. It shares no code with what wrote it: it follows RFC 9162 (tree and
// proofs), C2SP signed-note and tlog-checkpoint, and RFC 8785 for the versions of policies.
//
//   node examples/audit-verifier.js bundle.ndjson --key 'id.example/audit/0a1b2c3d+…' [--earlier checkpoint-file]
//
// The key is the one that `procura audit key` printed when the log was made. The one in the bundle is only a claim.
import { createHash, createPublicKey, verify } from 'node:crypto'
import { createReadStream, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'

/** @typedef {{ origin: string, size: number, root: Buffer }} Checkpoint */
/** @typedef {{ size: number, proof: string[] }} Shown */
/** @typedef {{ bundle: string, key: string, checkpoint: string, whole: boolean, consistency: Shown[], policies: Record<string, unknown> }} Header */
/** @typedef {{ index: number, record?: string, hash?: string, proof?: string[], records?: number }} Line */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { key: { type: 'string' }, earlier: { type: 'string', multiple: true, default: [] } },
})
const [file = ''] = positionals
const keyText = values.key
if (file === '' || keyText === undefined) {
  console.error('node examples/audit-verifier.js <bundle> --key <public key of the log> [--earlier <checkpoint>]')
  process.exit(64)
}

try {
  console.log(await check(file, keyText, values.earlier))
} catch (error) {
  console.error(`the bundle does not hold: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

/** @param {string} path @param {string} key @param {readonly string[]} earlier */
async function check(path, key, earlier) {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity })[Symbol.asyncIterator]()
  const head = await lines.next()
  const header = /** @type {Header} */ (parse(head.done === true ? '{}' : head.value))
  if (header.bundle !== 'procura-audit-bundle/1') throw new Error('it is not a bundle')
  if (header.key !== key) throw new Error(`it is of the log ${header.key}`)
  const checkpoint = openCheckpoint(header.checkpoint, key)
  for (const name of earlier) {
    const before = openCheckpoint(readFileSync(name, 'utf8'), key)
    const shown = header.consistency.find(one => one.size === before.size)
    if (shown === undefined) throw new Error(`it shows nothing about the checkpoint of ${before.size} records`)
    const proof = shown.proof.map(fromBase64)
    if (!isConsistent(before, checkpoint, proof)) throw new Error(`the log was forked before record ${before.size}`)
  }
  for (const [version, policy] of Object.entries(header.policies)) {
    if (sha256(canonical(policy)).toString('base64url') !== version) throw new Error(`policy ${version} is another`)
  }

  /** @type {{ level: number, hash: Buffer }[]} */
  const peaks = []
  let [count, last] = [0, -1]
  let isEnded = false
  for await (const line of { [Symbol.asyncIterator]: () => lines }) {
    const { index, record, hash = '', proof = [], records } = /** @type {Line} */ (parse(line))
    if (isEnded) throw new Error('something follows its end')
    if (records !== undefined) {
      if (records !== count) throw new Error(`it has ${count} records, and should have ${records}`)
      isEnded = true
      continue
    }
    if (!Number.isSafeInteger(index) || index <= last) throw new Error(`record ${index} is out of order`)
    last = index
    const leaf = record === undefined ? fromBase64(hash) : leafHash(Buffer.from(record, 'utf8'))
    if (header.whole && index !== count) throw new Error(`record ${count} is missing`)
    if (header.whole) grow(peaks, leaf)
    else if (!isIncluded(index, checkpoint, leaf, proof.map(fromBase64)))
      throw new Error(`record ${index} is not in the log`)
    count += 1
  }
  if (!isEnded) throw new Error('its end is missing')
  if (header.whole && count !== checkpoint.size) throw new Error(`records from ${count} on are missing`)
  if (header.whole && !rootOf(peaks).equals(checkpoint.root))
    throw new Error('its records are not those that were signed')
  return `${count} of ${checkpoint.size} records of ${checkpoint.origin} are as they were put on record`
}

/** @param {string} text @returns {unknown} */
function parse(text) {
  return JSON.parse(text)
}

/** A checkpoint, if the key signed it. @param {string} note @param {string} key @returns {Checkpoint} */
function openCheckpoint(note, key) {
  const [, name = '', id = '', base64 = ''] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(key) ?? []
  const typed = fromBase64(base64)
  const hash = sha256(Buffer.concat([Buffer.from(`${name}\n`), typed])).subarray(0, 4)
  if (typed.length !== 33 || typed[0] !== 1 || hash.toString('hex') !== id) throw new Error('the key is malformed')
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: typed.subarray(1).toString('base64url') }
  const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
  const end = note.lastIndexOf('\n\n')
  const text = note.slice(0, end + 1)
  const signatures = note
    .slice(end + 2)
    .split('\n')
    .map(line => /^— (\S+) (\S+)$/u.exec(line))
  const isSigned = signatures.some(line => {
    const bytes = line?.[1] === name ? fromBase64(line[2] ?? '') : Buffer.alloc(0)
    return bytes.subarray(0, 4).equals(hash) && verify(null, Buffer.from(text), publicKey, bytes.subarray(4))
  })
  const [origin = '', size = '', root = ''] = text.split('\n')
  if (end < 0 || !isSigned || origin !== name) throw new Error('its checkpoint is not signed with the key')
  return { origin, size: Number(size), root: fromBase64(root) }
}

/** @param {string} text */
function fromBase64(text) {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw new Error('a base64 text is malformed')
  return bytes
}

/** @param {string | Buffer} data */
function sha256(data) {
  return createHash('sha256').update(data).digest()
}

/** @param {Buffer} entry */
function leafHash(entry) {
  return sha256(Buffer.concat([Buffer.of(0), entry]))
}

/** @param {Buffer} left @param {Buffer} right */
function nodeHash(left, right) {
  return sha256(Buffer.concat([Buffer.of(1), left, right]))
}

/** @param {{ level: number, hash: Buffer }[]} peaks @param {Buffer} leaf */
function grow(peaks, leaf) {
  let top = { level: 0, hash: leaf }
  while (peaks.at(-1)?.level === top.level) {
    top = { level: top.level + 1, hash: nodeHash(peaks.pop()?.hash ?? leaf, top.hash) }
  }
  peaks.push(top)
}

/** @param {readonly { hash: Buffer }[]} peaks */
function rootOf(peaks) {
  const [last, ...others] = peaks.map(({ hash }) => hash).reverse()
  return last === undefined ? sha256('') : others.reduce((root, left) => nodeHash(left, root), last)
}

/** RFC 9162 §2.1.3.2. @param {number} index @param {Checkpoint} checkpoint @param {Buffer} leaf @param {readonly Buffer[]} proof */
function isIncluded(index, { size, root }, leaf, proof) {
  if (index >= size) return false
  let [fn, sn, hash] = [BigInt(index), BigInt(size - 1), leaf]
  for (const step of proof) {
    if (sn === 0n) return false
    if (fn & 1n || fn === sn) {
      hash = nodeHash(step, hash)
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n]
    } else hash = nodeHash(hash, step)
    ;[fn, sn] = [fn >> 1n, sn >> 1n]
  }
  return sn === 0n && hash.equals(root)
}

/** RFC 9162 §2.1.4.2. @param {Checkpoint} first @param {Checkpoint} second @param {readonly Buffer[]} proof */
function isConsistent(first, second, proof) {
  if (first.size > second.size) return false
  if (first.size === second.size) return proof.length === 0 && first.root.equals(second.root)
  if (first.size === 0) return proof.length === 0
  const isPower = Number.isInteger(Math.log2(first.size))
  const [start, ...steps] = isPower ? [first.root, ...proof] : proof
  if (start === undefined || proof.length === 0) return false
  let [fn, sn] = [BigInt(first.size - 1), BigInt(second.size - 1)]
  while (fn & 1n) [fn, sn] = [fn >> 1n, sn >> 1n]
  let [fr, sr] = [start, start]
  for (const step of steps) {
    if (sn === 0n) return false
    if (fn & 1n || fn === sn) {
      ;[fr, sr] = [nodeHash(step, fr), nodeHash(step, sr)]
      while (!(fn & 1n) && fn !== 0n) [fn, sn] = [fn >> 1n, sn >> 1n]
    } else sr = nodeHash(sr, step)
    ;[fn, sn] = [fn >> 1n, sn >> 1n]
  }
  return sn === 0n && fr.equals(first.root) && sr.equals(second.root)
}

/** RFC 8785, for what JSON.parse made. @param {unknown} value @returns {string} */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`
}
