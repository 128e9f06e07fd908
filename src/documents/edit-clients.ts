/**
 * Under which clientIDs edits stand in a document. One is used again for the next edit of the same room, as each new one
 * stays in every state vector; and never after an edit of which nobody knows whether it was committed.
 */
import { createHash } from 'node:crypto'
import { newClientID } from '../document/client-id.ts'
import type { Room } from '../room/room.ts'

type Asked = { readonly document: string; readonly key: string | null }

export class EditClients {
  readonly #random: () => number
  /** Of open rooms; no more than edits of one were under way at once. */
  readonly #free = new WeakMap<Room, number[]>()

  constructor(random: () => number) {
    this.#random = random
  }

  take({ document, key }: Asked, room: Room | null): number {
    if (key !== null) return clientOfKey(document, key)
    const free = room === null ? undefined : this.#free.get(room)?.pop()
    return free ?? newClientID(this.#random)
  }

  /** What became of its edit is known. */
  giveBack({ key, room, client }: Asked & { readonly room: Room | null; readonly client: number }): void {
    if (key !== null || room === null || room.isEnded) return
    const free = this.#free.get(room) ?? []
    free.push(client)
    this.#free.set(room, free)
  }
}

/** 53 bits of a hash, so that no two keys of a document have the same. */
function clientOfKey(document: string, key: string): number {
  const hash = createHash('sha256')
    .update(JSON.stringify([document, key]))
    .digest()
  return Number(hash.readBigUInt64BE() >> 11n)
}
