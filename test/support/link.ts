/**
 * The way from one process to another, as a TCP proxy: each direction can stand still, everything on it can be cut, and
 * it leads to the first target that accepts, as a balancer does.
 */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** `up`: what whoever has connected says. `down`: what the other end answers. */
export type Direction = 'up' | 'down'

export type Link = {
  readonly port: number
  /** Nothing goes on in this direction, on connections of now and later ones, and nobody is told. */
  stall(direction: Direction): void
  /** Ends every stall; what was kept goes on. */
  flow(): void
  /** Breaks the connections of now, with what is on its way. Later ones are made. */
  cut(): void
  close(): void
}

type Pair = { readonly client: Socket; readonly server: Socket }

/** `targets`: ports, asked for with each connection, tried in this order. */
export async function startLink(targets: () => readonly number[]): Promise<Link> {
  const pairs = new Set<Pair>()
  const stalled = new Set<Direction>()
  const proxy = createServer(client => {
    client.on('error', () => {})
    // Nothing is read before there is somebody to give it to.
    client.pause()
    void firstOf(targets()).then(server => {
      if (server === null || client.destroyed) {
        client.resetAndDestroy()
        server?.destroy()
      } else join({ client, server })
    })
  })
  const join = (pair: Pair) => {
    const { client, server } = pair
    pairs.add(pair)
    forward(client, server, () => stalled.has('up'))
    forward(server, client, () => stalled.has('down'))
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => end(pair))
    }
    if (!stalled.has('up')) client.resume()
    if (stalled.has('down')) server.pause()
  }
  const end = (pair: Pair) => {
    pairs.delete(pair)
    pair.client.destroy()
    pair.server.destroy()
  }
  const cut = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
    pairs.clear()
  }
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    port: (proxy.address() as AddressInfo).port,
    stall: direction => {
      stalled.add(direction)
      for (const { client, server } of pairs) (direction === 'up' ? client : server).pause()
    },
    flow: () => {
      stalled.clear()
      for (const socket of [...pairs].flatMap(({ client, server }) => [client, server])) socket.resume()
    },
    cut,
    close: () => {
      cut()
      proxy.close()
    }
  }
}

async function firstOf(ports: readonly number[]): Promise<Socket | null> {
  for (const port of ports) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return socket
    } catch {
      socket.destroy()
    }
  }
  return null
}

function forward(from: Socket, to: Socket, isStalled: () => boolean): void {
  from.on('data', chunk => {
    if (to.write(chunk)) return
    from.pause()
    to.once('drain', () => {
      if (!isStalled()) from.resume()
    })
  })
  from.on('end', () => to.end())
}
