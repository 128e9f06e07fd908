/**
 * A short stay at a server, by hand and cheap, in either dialect: it comes with nothing, gets the document, writes, and
 * leaves when that is acknowledged. Everything is awaited by event, so that thousands of stays take minutes.
 */
import { once } from 'node:events'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { isEndMarker, syncStep1, syncStep2, takeApart, updateFrame } from './raw.ts'
import {
  authFrame,
  step1Frame,
  step2Frame,
  takeApart as takeApartHocuspocus,
  updateFrameOf
} from './raw-hocuspocus.ts'

export type Dialect = 'y-websocket' | 'hocuspocus'

export type Visit = {
  /** As it was when the server had sent everything; and what has come since. */
  readonly doc: Y.Doc
  /** Sends an update and resolves when the server says that it is durable. Rejects when the connection ends before. */
  write(update: Uint8Array): Promise<void>
  leave(): void
}

type Place = { readonly url: string; readonly room: string; readonly dialect: Dialect }

const nothing = Uint8Array.of(0, 0)

/** Resolves when the server has sent everything. Rejects when the connection ends before. */
export async function openVisit({ url, room, dialect }: Place): Promise<Visit> {
  const path = dialect === 'hocuspocus' ? '' : encodeURIComponent(room)
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/${path}`)
  const visit = new OpenVisit(socket, wires[dialect](room))
  await once(socket, 'open')
  await visit.joined()
  return visit
}

/** What a frame of the server means to a visitor. `over`: everything that was asked for has been sent. */
type Heard =
  | { readonly kind: 'step1' | 'over' | 'saved' | 'other' }
  | { readonly kind: 'update'; readonly update: Uint8Array }

type Wire = {
  readonly hello: readonly Uint8Array[]
  readonly answer: Uint8Array
  /** To be sent with an update; and what comes when all of it is durable. */
  frames(update: Uint8Array): readonly Uint8Array[]
  readonly durable: Heard['kind']
  read(frame: Uint8Array): Heard
}

const wires: Record<Dialect, (room: string) => Wire> = {
  'y-websocket': () => ({
    hello: [syncStep1(Uint8Array.of(0))],
    answer: syncStep2(nothing),
    // Asked for nothing at all, the server answers when what came before is durable (YW6).
    frames: update => [updateFrame(update), syncStep1(Uint8Array.of(0))],
    durable: 'over',
    read: frame => {
      if (isEndMarker(frame)) return { kind: 'over' }
      const received = takeApart(frame)
      if (received.type === 'sync-step-1') return { kind: 'step1' }
      if (received.type === 'sync-step-2' || received.type === 'update')
        return { kind: 'update', update: received.payload }
      return { kind: 'other' }
    }
  }),
  hocuspocus: room => ({
    hello: [authFrame(room, 'any'), step1Frame(room)],
    answer: step2Frame(room, nothing),
    frames: update => [updateFrameOf(room, update)],
    durable: 'saved',
    read: frame => {
      const { what, payload } = takeApartHocuspocus(frame)
      if (what === 'sync-step-1') return { kind: 'step1' }
      if (what === 'saved') return { kind: 'saved' }
      if (what !== 'sync-step-2' && what !== 'update') return { kind: 'other' }
      if (what === 'sync-step-2' && Buffer.from(nothing).equals(payload)) return { kind: 'over' }
      return { kind: 'update', update: payload }
    }
  })
}

class OpenVisit implements Visit {
  readonly doc = new Y.Doc()
  readonly #socket: WebSocket
  readonly #wire: Wire
  readonly #counts = new Map<Heard['kind'], number>()
  #look: () => void = () => {}
  #code: number | null = null

  constructor(socket: WebSocket, wire: Wire) {
    this.#socket = socket
    this.#wire = wire
    socket.on('open', () => this.#send(wire.hello))
    socket.on('message', (frame: Buffer) => this.#heard(frame))
    socket.on('close', code => {
      this.#code = code
      this.#look()
    })
  }

  /** A receipt, where there are any, is for the answer to the server's own question: what is written later is counted from there. */
  async joined(): Promise<void> {
    await this.#counted('over', 1)
    if (this.#wire.durable === 'saved') await this.#counted('saved', 1)
  }

  async write(update: Uint8Array): Promise<void> {
    const { durable } = this.#wire
    const before = this.#counts.get(durable) ?? 0
    this.#send(this.#wire.frames(update))
    await this.#counted(durable, before + 1)
  }

  leave(): void {
    this.#socket.terminate()
    this.doc.destroy()
  }

  #send(frames: readonly Uint8Array[]): void {
    for (const frame of frames) this.#socket.send(frame)
  }

  #heard(frame: Buffer): void {
    const heard = this.#wire.read(frame)
    if (heard.kind === 'update') Y.applyUpdate(this.doc, heard.update)
    if (heard.kind === 'step1') this.#send([this.#wire.answer])
    this.#counts.set(heard.kind, (this.#counts.get(heard.kind) ?? 0) + 1)
    this.#look()
  }

  #counted(kind: Heard['kind'], count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        if ((this.#counts.get(kind) ?? 0) >= count) resolve()
        else if (this.#code !== null)
          reject(new Error(`closed with ${this.#code} while waiting for: ${kind}`))
      }
      this.#look()
    })
  }
}
