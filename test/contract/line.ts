import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A line to a server, which can be cut and mended. */
export interface Line {
  /** the server's URL over the line */
  readonly url: string
  cut(): void
  /** Nothing goes through any more, and nobody is told; until it is cut. */
  freeze(): void
  mend(): Promise<void>
}

/** Lays a line to the server of `url`. */
export async function lineTo(url: string, defaultPort: number): Promise<Line> {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  let isFrozen = false
  const lay = () =>
    createServer(near => {
      const far = connect({ host: hostname, port: Number(port) || defaultPort })
      const end = (): void => [near, far].forEach(one => one.destroy())
      for (const one of [near, far]) {
        sockets.add(one)
        one.on('error', end).once('close', end)
      }
      if (isFrozen) near.pause()
      else near.pipe(far).pipe(near)
    })
  let server = lay().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port: own } = server.address() as AddressInfo
  const through = new URL(url)
  through.host = `127.0.0.1:${own}`
  return {
    url: through.href,
    freeze() {
      isFrozen = true
      for (const socket of sockets) socket.unpipe().pause()
    },
    cut() {
      isFrozen = false
      server.close()
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
    async mend() {
      server = lay().listen(own, '127.0.0.1')
      await once(server, 'listening')
    },
  }
}
