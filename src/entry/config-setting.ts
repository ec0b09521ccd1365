import { parseConnect } from '../adapters/resolve/connect.js'
import { parseRedisUrl } from '../adapters/state/redis-url.js'
import { parsePostgresUrl } from '../adapters/store/postgres-url.js'
import { didWebOf } from '../did/web.js'
import { isLoopback } from './config.js'
import { refusalAt, type Looking } from './config-report.js'

/** Settings that contradict each other, or say what is not so. */
export function checkSetting(looking: Looking): void {
  const { known, report } = looking
  const { origin, listen, connect, storage, state } = known
  const attempt = (name: string, work: () => unknown): void => {
    try {
      work()
    } catch (error) {
      report(refusalAt(['procura', name], error))
    }
  }
  if (origin !== undefined) attempt('origin', () => didWebOf(origin))
  if (connect !== undefined) {
    attempt('connect', () => parseConnect(connect))
    checkConnect(looking)
  }
  if (listen?.behindTls === true && listen.trustedProxies.length === 0) {
    report({
      level: 'warning',
      at: ['procura', 'listen'],
      code: 'CONFIG_INVALID',
      why: 'no trusted proxy is named, so all callers have the address of the proxy and share one count',
      remedy: 'name its address or network in listen.trustedProxies',
    })
  }
  if (storage !== undefined) checkStorage(storage, state, looking, attempt)
  if (state !== undefined) attempt('state', () => parseRedisUrl(state))
  const stateHost = state === undefined || !URL.canParse(state) ? null : new URL(state)
  if (stateHost?.protocol === 'redis:' && !isLoopback(stateHost.hostname)) {
    report({
      level: 'warning',
      at: ['procura', 'state'],
      code: 'CONFIG_INVALID',
      why: 'Redis is asked over the network without TLS',
      remedy: 'write rediss://, or keep it on a network that nobody else is on',
    })
  }
}

/** A map to other addresses is for development: there the listener is seen by this machine alone. */
function checkConnect({ known: { listen, connect = {} }, report }: Looking): void {
  const isDevelopment = listen === undefined || (isLoopback(listen.host) && !listen.behindTls)
  if (isDevelopment || Object.keys(connect).length === 0) return
  report({
    level: 'error',
    at: ['procura', 'connect'],
    code: 'CONFIG_INVALID',
    why: 'sends requests elsewhere than their names say, though others reach this service',
    remedy: 'empty it, or listen on loopback without behindTls',
  })
}

function checkStorage(
  storage: string,
  state: string | undefined,
  { report }: Looking,
  attempt: (name: string, work: () => unknown) => void,
): void {
  const at = ['procura', 'storage']
  if (/^postgres(?:ql)?:/.test(storage)) {
    attempt('storage', () => parsePostgresUrl(storage))
    if (state !== undefined) return
    report({
      level: 'warning',
      at,
      code: 'CONFIG_INVALID',
      why: 'several processes may share this database, but each counts calls by itself',
      remedy: 'name a Redis in state, or run one process',
    })
  } else if (storage === 'sqlite::memory:') {
    report({
      level: 'error',
      at,
      code: 'CONFIG_INVALID',
      why: 'all keys, grants and revocations would be forgotten at the end, and the audit log would tell of what is not there',
      remedy: 'write sqlite://path/to/file',
    })
  } else if (!/^sqlite:\/\/(?=[^/:]|\/[^/])/.test(storage)) {
    report({
      level: 'error',
      at,
      code: 'CONFIG_INVALID',
      why: `${/^[a-z][a-z0-9+.-]*:/i.exec(storage)?.[0] ?? 'no scheme'} is of no kind that is known`,
      remedy: 'write sqlite://path/to/file, or postgres://user:password@host/database',
    })
  }
}
