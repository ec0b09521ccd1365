import { pino, type DestinationStream, type Logger } from 'pino'
import { visible } from '../../encoding.js'

/** Headers and members that hold what nobody else may learn. */
const SECRET = ['authorization', 'agent-proof', 'agent-presentation', 'agent-approval', 'cookie', 'token', 'presentation', 'proof', 'secret', 'credential', 'nonce'] // prettier-ignore
const PATHS = SECRET.flatMap(name => ['', '*.', '*.*.'].map(above => `${above}["${name}"]`.replace('.[', '[')))
/** Tokens that stand in the middle of a text. */
const TOKEN = /\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g

/**
 * The service's log, a JSON object a line. Members that are known to be secret are left out, and tokens wherever they
 * stand; what a terminal would obey is escaped.
 *
 * @param level - `silent` to `trace`
 * @param to - standard error unless given
 */
export function createLog(level: string, to: DestinationStream = pino.destination({ dest: 2, sync: true })): Logger {
  const clean = { write: (line: string) => to.write(visible(line.replace(TOKEN, '[token]'))) }
  return pino({ level, base: null, redact: { paths: PATHS, censor: '[redacted]' } }, clean)
}
