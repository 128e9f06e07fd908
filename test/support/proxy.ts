/** A TCP proxy before a server: counts bytes, slows them down, holds them back for ever, cuts them off. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export type Proxy = {
  /** Where clients connect instead. */
  readonly url: string
  /** Bytes that went to clients. */
  readonly downBytes: () => number
  /** Bytes that came from clients. */
  readonly upBytes: () => number
  /** Nothing is forwarded any more on the connections of now, and nobody is told: a half-open connection. */
  freeze(): void
  /** Sends nothing more to the clients of now until it is told to go on. */
  hold(): void
  goOn(): void
  /** Destroys the connections of now. */
  cut(): void
  /** Refuses new ones from now on, or accepts them again. */
  refuse(): void
  accept(): void
}

/** `bytesPerSecond`: how fast bytes go to clients; as fast as they can by default. */
export async function startProxy(
  target: string,
  { bytesPerSecond = Number.POSITIVE_INFINITY }: { bytesPerSecond?: number } = {}
): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const bytes = { up: 0, down: 0 }
  const pairs = new Set<readonly [Socket, Socket]>()
  let isRefusing = false
  let held: (() => void)[] | null = null
  const whenNotHeld = (resume: () => void) => {
    if (held === null) resume()
    else held.push(resume)
  }
  const proxy = createServer(client => {
    if (isRefusing) return void client.destroy()
    const server = connect(Number(port), hostname)
    const pair = [client, server] as const
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', end)
      socket.on('close', end)
    }
    forward(client, server, {
      bytesPerSecond: Number.POSITIVE_INFINITY,
      whenMayGoOn: resume => resume(),
      count: length => {
        bytes.up += length
      }
    })
    forward(server, client, {
      bytesPerSecond,
      whenMayGoOn: whenNotHeld,
      count: length => {
        bytes.down += length
      }
    })
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const [client, server] of pairs) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
    pairs.clear()
  }
  onTestFinished(() => {
    cut()
    proxy.close()
  })
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    downBytes: () => bytes.down,
    upBytes: () => bytes.up,
    freeze: () => {
      for (const socket of [...pairs].flat()) {
        socket.removeAllListeners('data')
        socket.removeAllListeners('close')
        socket.removeAllListeners('error')
        socket.on('error', () => {})
        socket.pause()
      }
    },
    hold: () => {
      held ??= []
    },
    goOn: () => {
      const waiting = held ?? []
      held = null
      for (const resume of waiting) resume()
    },
    cut,
    refuse: () => {
      isRefusing = true
    },
    accept: () => {
      isRefusing = false
    }
  }
}

type Line = {
  readonly bytesPerSecond: number
  /** Calls back now, or when the line is no longer held. */
  whenMayGoOn(resume: () => void): void
  count(length: number): void
}

function forward(from: Socket, to: Socket, { bytesPerSecond, whenMayGoOn, count }: Line): void {
  from.on('data', chunk => {
    count(chunk.length)
    const isFlowing = to.write(chunk)
    const waitMs = (chunk.length / bytesPerSecond) * 1000
    if (isFlowing && waitMs < 1) return
    from.pause()
    const resume = () => setTimeout(() => whenMayGoOn(() => from.resume()), waitMs)
    if (isFlowing) resume()
    else to.once('drain', resume)
  })
}
