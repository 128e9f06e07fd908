/** A TCP proxy that loses what the server answers: requests arrive, and nobody hears of it. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export type ReplyProxy = {
  readonly port: number
  /** Once a request with this text in it has come, requests are forwarded and answers held. */
  holdRepliesTo(text: string): void
  /** From now on nothing is forwarded, and nobody is told. */
  silence(): void
  /** Resolves when the server has answered something that is held. */
  heldReply(): Promise<void>
  /** Cuts the connections of now, with what is held, and forwards everything from now on. */
  cutAndOpen(): void
  /** New connections are cut at once, until `cutAndOpen`. */
  refuse(): void
  close(): void
}

type Mode = 'open' | 'waiting' | 'holding' | 'silent' | 'refusing'

export async function startReplyProxy(targetPort: number): Promise<ReplyProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let mode: Mode = 'open'
  let awaited = ''
  let held: (() => void)[] = []
  const server = createServer(client => {
    if (mode === 'refusing') return void client.resetAndDestroy()
    const upstream = connect(targetPort, '127.0.0.1')
    const pair = [client, upstream] as const
    pairs.add(pair)
    client.on('data', chunk => {
      if (mode === 'waiting' && chunk.includes(awaited)) mode = 'holding'
      if (mode !== 'silent') upstream.write(chunk)
    })
    upstream.on('data', chunk => {
      if (mode === 'open' || mode === 'waiting') return void client.write(chunk)
      for (const tell of held) tell()
      held = []
    })
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = () => {
    for (const socket of [...pairs].flat()) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    holdRepliesTo: text => {
      awaited = text
      mode = 'waiting'
    },
    silence: () => {
      mode = 'silent'
    },
    refuse: () => {
      mode = 'refusing'
      cut()
    },
    heldReply: () => new Promise(resolve => held.push(resolve)),
    cutAndOpen: () => {
      mode = 'open'
      cut()
    },
    close: () => {
      cut()
      server.close()
    }
  }
}
