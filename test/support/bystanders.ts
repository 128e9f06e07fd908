/** Two real clients who go on editing one room while somebody else misbehaves, and must not notice. */
import { expect, onTestFinished } from 'vitest'
import { barrier, type Client, connect, converged, synced, until } from './clients.ts'

export type Bystanders = {
  /** Fails unless both still exchange edits on the connections they began with, and a fresh client syncs. */
  unharmed(): Promise<void>
}

export async function startBystanders(url: string, room = 'room'): Promise<Bystanders> {
  const pair: [Client, Client] = [
    connect(url, room, { version: '3.1' }),
    connect(url, room, { version: '1.5' })
  ]
  let closes = 0
  for (const { provider, destroy } of pair) {
    onTestFinished(destroy)
    provider.on('connection-close', () => closes++)
  }
  await Promise.all(pair.map(synced))
  const sockets = pair.map(({ provider }) => provider.ws)
  let round = 0
  return {
    unharmed: async () => {
      round++
      for (const { doc } of pair) doc.getText('bystanders').insert(0, `${round} `)
      await converged(pair)
      await Promise.all(pair.map(barrier))
      const fresh = connect(url, room)
      try {
        await synced(fresh)
        await until(() => textOf(fresh) === textOf(pair[0]), 'the fresh client to have everything')
      } finally {
        fresh.destroy()
      }
      expect(textOf(pair[0]).split(' ').length).toBe(2 * round + 1)
      expect(pair.map(({ provider }) => provider.ws)).toEqual(sockets)
      expect(closes).toBe(0)
    }
  }
}

function textOf({ doc }: Client): string {
  return doc.getText('bystanders').toString()
}
