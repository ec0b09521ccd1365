// Loaded before the service by bench/soak.js (node --import): says what the process holds whenever it is asked.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { writeHeapSnapshot } from 'node:v8'

/** Milliseconds between two looks at the event loop. */
const RESOLUTION = 10

/**
 * @typedef {object} Held what the process holds after a full garbage collection
 * @property {number} heap bytes of JavaScript objects
 * @property {number} external bytes of buffers and what native code keeps for objects
 * @property {number} rss bytes
 * @property {number} handles sockets, timers and requests under way
 * @property {number} lag50 milliseconds that the event loop was late since the last look, before the collection
 * @property {number} lag99
 * @property {number} lagMax
 * @property {number} cpu milliseconds of processor time since the start, collections of this probe left out
 */

const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
delay.enable()
/** Milliseconds of processor time that this probe took. */
let own = 0

process.on('message', message => {
  const { snapshot } = /** @type {{ snapshot?: string }} */ (message)
  process.send?.(snapshot === undefined ? look() : { file: writeHeapSnapshot(snapshot) })
})
// the channel shall not keep a service that ends
process.channel?.unref()

/** @returns {Held} */
function look() {
  const late = (/** @type {number} */ nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION)
  const [lag50, lag99, lagMax] = [delay.percentile(50), delay.percentile(99), delay.max].map(late)
  const before = cpu()
  globalThis.gc?.()
  globalThis.gc?.()
  own += cpu() - before
  const { heapUsed: heap, external, rss } = process.memoryUsage()
  delay.reset()
  const handles = process.getActiveResourcesInfo().length
  return { heap, external, rss, handles, lag50: lag50 ?? 0, lag99: lag99 ?? 0, lagMax: lagMax ?? 0, cpu: cpu() - own }
}

function cpu() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
