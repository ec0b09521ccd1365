import type { Keys, ListVersions, Revocations, StatusLists, Streams } from '../ports/deciding.js'

/** What liveness is asked of. */
export interface LivePorts {
  readonly keys: Keys
  readonly statusLists: StatusLists
  readonly listVersions: ListVersions
  readonly revocations: Revocations
  readonly streams: Streams
}

/**
 * The ports, for one decision: what it asks again has the answer that it had a moment before. Any moment of a decision
 * is as good as another, as long as it is after it was asked for.
 */
export function askedOnce(ports: LivePorts): LivePorts {
  const { keys, statusLists, listVersions } = ports
  const [found, read, raised] = [once(), once(), once()]
  return {
    ...ports,
    keys: { ...keys, find: (kid, purpose) => found(`${kid} ${purpose}`, () => keys.find(kid, purpose)) },
    statusLists: { read: (url, maxAge) => read(`${url} ${maxAge}`, () => statusLists.read(url, maxAge)) },
    listVersions: {
      raise: (issuer, url, version) =>
        raised(`${issuer} ${url} ${version}`, () => listVersions.raise(issuer, url, version)),
    },
  }
}

function once(): <T>(name: string, ask: () => Promise<T>) => Promise<T> {
  const answers = new Map<string, Promise<unknown>>()
  return <T>(name: string, ask: () => Promise<T>): Promise<T> => {
    const answer = (answers.get(name) as Promise<T> | undefined) ?? ask()
    answers.set(name, answer)
    return answer
  }
}
