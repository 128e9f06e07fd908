/**
 * Rooms of one document on several nodes in virtual time, as far as presence goes: the real rooms' presence, the real
 * messages over a bus with faults, the real awareness of y-protocols on the clients, and sockets that may be half-open.
 */

import * as AwarenessProtocol from 'y-protocols/awareness'
import {
  applyAwarenessUpdate,
  type Awareness as ClientAwareness,
  encodeAwarenessUpdate
} from 'y-protocols/awareness'
import * as Y from 'yjs'
import { createMemoryBroker, type MemoryBroker, sealBus } from '../../bus/index.ts'
import { type Limits, withLimits } from '../../src/base/limits.ts'
import { Presences } from '../../src/cluster/presences.ts'
import type { Encoder } from '../../src/dialect/message.ts'
import { yWebsocketEncoder } from '../../src/dialect/y-websocket.ts'
import { Awareness } from '../../src/room/awareness.ts'
import { Member, type MemberPerson, type Port } from '../../src/room/member.ts'
import type { Nodes } from '../../src/room/nodes.ts'
import { type Scope, VirtualClock } from '../simulation/virtual-time.ts'
import { randomOf } from '../support/random.ts'
import { quietLog } from '../support/server.ts'

const key = new Uint8Array(32).fill(7)
const anybody: MemberPerson = { access: 'write', user: null, source: 's', peer: 'p' }
const question = Uint8Array.of(0xff)

/** Frames are what a client hands to its awareness; `answering` ones are asked where they stand, the others echo. */
const encoders: Record<'echoing' | 'answering', Encoder> = {
  echoing: { ...yWebsocketEncoder, awareness: states => [states] },
  answering: {
    ...yWebsocketEncoder,
    key: 'answering',
    awareness: states => [states],
    queryAwareness: () => [question]
  }
}

export class World {
  readonly clock = new VirtualClock()
  readonly scope: Scope
  readonly random: () => number
  readonly broker: MemoryBroker
  readonly limits: Limits
  readonly people: Person[] = []
  /** The last record of the document's log. */
  head = 0

  constructor(seed: number, limits: Partial<Limits> = {}) {
    this.scope = this.clock.scope()
    this.random = randomOf(seed)
    this.broker = createMemoryBroker({ random: this.random, time: this.scope })
    this.limits = withLimits(limits)
  }

  person(name: string, way: 'echoing' | 'answering' = 'echoing'): Person {
    const person = new Person(this, name, way)
    this.people.push(person)
    return person
  }

  after(delayMs: number, run: () => void): void {
    this.scope.after(delayMs, run)
  }

  close(): void {
    this.scope.end()
    for (const person of this.people) person.awareness.destroy()
  }
}

/** One life of one node. */
export class Site {
  readonly world: World
  readonly name: string
  readonly node: string
  readonly #scope: Scope
  readonly #bus: ReturnType<MemoryBroker['connect']>
  readonly #presences: Presences
  readonly sockets = new Set<Socket>()
  readonly publish: (topic: string, bytes: Uint8Array) => void
  #room: Awareness | null = null
  #shown: number

  constructor(world: World, name: string, life = 1) {
    this.world = world
    this.name = name
    this.#shown = world.head
    this.node = `${name}/${life}`
    this.#scope = world.clock.scope()
    this.#bus = world.broker.connect(name, { time: this.#scope })
    const sealed = sealBus({ bus: this.#bus, clusterId: 'cluster', nodeId: this.node, key })
    this.publish = (topic, bytes) => void sealed.publish(topic, bytes)
    const parts = { bus: sealed, time: this.#scope, limits: world.limits, log: quietLog }
    this.#presences = new Presences(parts)
  }

  /** Opened by whoever is first, as in a server. */
  get room(): Awareness {
    this.#room ??= new Awareness(
      {
        document: 'room',
        durableTicket: () => 0,
        position: () => ({ incarnation: 'life', sequence: this.#shown }),
        takenOver: member => [...this.sockets].find(each => each.member === member)?.closed()
      },
      {
        nodes: {
          node: this.node,
          sharePresence: (document, listener) =>
            this.#presences.open({ document, topic: `document/${document}` }, listener)
        } as Nodes,
        time: this.#scope,
        limits: this.world.limits,
        presence: { identity: 'as-sent', readers: 'shown' }
      }
    )
    return this.#room
  }

  /** Somebody here writes: others are shown it a little later. */
  write(others: readonly Site[]): void {
    const { world } = this
    this.#showUpTo(++world.head)
    const written = world.head
    for (const other of others)
      other.#scope.after(world.random() * 100, () => other !== this && other.#showUpTo(written))
  }

  #showUpTo(sequence: number): void {
    this.#shown = Math.max(this.#shown, sequence)
    this.#room?.updatesSent()
  }

  left(member: Member): void {
    this.#room?.leave(member)
  }

  closeRoom(): void {
    this.#room?.close()
    this.#room = null
  }

  stop(): void {
    for (const socket of [...this.sockets]) socket.closed()
    this.closeRoom()
    this.#presences.close()
    this.#scope.end()
    void this.#bus.close()
  }

  /** As SIGKILL: nobody is told by it; clients see their connections end. */
  die(): void {
    this.#scope.end()
    void this.#bus.close()
    for (const socket of [...this.sockets]) socket.closed()
  }
}

/** A connection. The way to the client and back takes a little time, and may fall silent. */
export class Socket {
  readonly site: Site
  readonly person: Person
  readonly member: Member
  isHalfOpen = false
  #isClosed = false
  #order = 0

  constructor(site: Site, person: Person) {
    this.site = site
    this.person = person
    const nothing = () => {}
    const port: Port = {
      id: person.name,
      send: frame => this.#carry(() => person.received(this, Buffer.concat(frame))),
      feed: () => 'flowing',
      end: () => this.closed(),
      ping: () => () => !this.#isClosed && !this.isHalfOpen,
      probe: timeoutMs =>
        new Promise(resolve => {
          const isThere = !this.isHalfOpen && !this.#isClosed
          site.world.after(isThere ? 2 : timeoutMs, () => resolve(isThere))
        }),
      pause: nothing,
      resume: nothing,
      hold: nothing,
      release: nothing,
      charge: nothing
    }
    this.member = new Member(port, encoders[person.way], anybody)
    site.sockets.add(this)
  }

  get isOpen(): boolean {
    return !this.#isClosed
  }

  /** From the client. */
  say(states: Uint8Array): void {
    this.#carry(() => this.site.room.receive(this.member, states))
  }

  joined(): void {
    this.#carry(() => {
      this.member.phase = { type: 'live' }
      this.site.room.memberLive(this.member)
    })
  }

  /** In order, as on a wire. */
  #carry(arrive: () => void): void {
    const { world } = this.site
    const order = Math.max(this.#order, world.clock.nowMs + world.random() * 5)
    this.#order = order
    world.after(order - world.clock.nowMs, () => {
      if (!this.#isClosed && !this.isHalfOpen) arrive()
    })
  }

  /** The end is known on both sides. */
  closed(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.site.sockets.delete(this)
    this.site.left(this.member)
    this.person.lost(this)
  }
}

export class Person {
  readonly world: World
  readonly name: string
  readonly way: 'echoing' | 'answering'
  readonly awareness: ClientAwareness
  socket: Socket | null = null

  constructor(world: World, name: string, way: 'echoing' | 'answering') {
    this.world = world
    this.name = name
    this.way = way
    const doc = new Y.Doc()
    doc.clientID = world.people.length + 1
    this.awareness = new AwarenessProtocol.Awareness(doc)
    // Nobody renews anything of itself: what is seen is the servers' doing.
    clearInterval(this.awareness._checkInterval)
    this.awareness.setLocalState({ name })
    this.awareness.on('update', ({ added, updated, removed }: Record<string, number[]>, origin: unknown) => {
      const isForeign = origin instanceof Socket
      if (isForeign && this.way === 'answering') return
      this.#tell([...(added ?? []), ...(updated ?? []), ...(removed ?? [])])
    })
  }

  get clientID(): number {
    return this.awareness.clientID
  }

  say(what: string): void {
    this.awareness.setLocalState({ name: this.name, what })
  }

  sees({ clientID }: Person): unknown {
    return this.awareness.getStates().get(clientID)
  }

  connect(site: Site): void {
    const socket = new Socket(site, this)
    this.socket = socket
    this.#tell([this.clientID])
    socket.joined()
  }

  /** `half-open`: the server does not hear of it. */
  disconnect(how: 'closed' | 'half-open'): void {
    const { socket } = this
    if (socket === null) return
    if (how === 'half-open') {
      socket.isHalfOpen = true
      this.lost(socket)
    } else socket.closed()
  }

  lost(socket: Socket): void {
    if (this.socket !== socket) return
    this.socket = null
    const others = [...this.awareness.getStates().keys()].filter(clientID => clientID !== this.clientID)
    AwarenessProtocol.removeAwarenessStates(this.awareness, others, 'lost')
  }

  received(socket: Socket, bytes: Uint8Array): void {
    if (this.socket !== socket) return
    if (bytes.length === 1) this.#tell([...this.awareness.getStates().keys()])
    else applyAwarenessUpdate(this.awareness, bytes, socket)
  }

  #tell(clientIDs: readonly number[]): void {
    if (clientIDs.length > 0) this.socket?.say(encodeAwarenessUpdate(this.awareness, [...clientIDs]))
  }
}
