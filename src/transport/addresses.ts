/**
 * Where connections come from, and how much comes from one place: connections, and documents that they have open. What
 * comes from this machine itself is not counted: it is a proxy, or whoever runs the server.
 */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Cancel, Time } from '../base/time.ts'
import { WorkQueue } from '../base/work-queue.ts'
import { Refusals } from '../room/refusals.ts'

/** `127.0.0.1`, `10.0.0.0/8`, `fd00::/8`, or `loopback` for this machine. Throws TypeError when one is none of these. */
export function proxyList(proxies: readonly string[]): BlockList {
  const list = new BlockList()
  for (const proxy of proxies.flatMap(each => (each === 'loopback' ? ['127.0.0.0/8', '::1'] : [each]))) {
    const [address = '', prefix] = proxy.split('/')
    const family = familyOf(address)
    const bits = prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix)
    if (isIP(address) === 0 || !Number.isInteger(bits) || bits < 0 || bits > (family === 'ipv6' ? 128 : 32)) {
      throw new TypeError(`${proxy} is no address, no range of addresses (10.0.0.0/8) and not "loopback"`)
    }
    list.addSubnet(address, bits, family)
  }
  return list
}

type Forwarded = {
  readonly remote: string
  readonly header: string | string[] | undefined
  readonly trusted: BlockList
}

/**
 * Who is at the other end: the last address that is no trusted proxy's, from the socket on back through
 * X-Forwarded-For. Whatever stands before that was written by a stranger, and counts for nothing.
 */
export function clientAddress({ remote, header, trusted }: Forwarded): string {
  const hops = header === undefined ? [] : [header].flat().join(',').split(',')
  let address = plainAddress(remote)
  while (hops.length > 0 && isTrusted(address, trusted)) {
    const hop = withoutPort((hops.pop() ?? '').trim())
    // A proxy that writes something else has not said who it was.
    if (isIP(hop) === 0) break
    address = plainAddress(hop)
  }
  return address
}

/** Answered without delay: people mistype, and many share an address. */
const refusalsFree = 20

/** The same as before, refused again, is answered without delay so often: a token may be on its way. */
const repetitionsFree = 3

/** How many connections and open documents there are of each network. */
export class Addresses {
  readonly #limits: Limits
  readonly #connections = new Map<string, number>()
  readonly #members = new Map<string, number>()
  readonly #refusals: Refusals
  /** Of the very same attempt, wherever it comes from: a proxy on this machine hides from where. */
  readonly #repetitions: Refusals
  readonly #attempts = new Map<string, WorkQueue>()
  readonly #delays = new Set<Cancel>()
  readonly #time: Time

  constructor(time: Time, limits: Limits) {
    this.#time = time
    this.#limits = limits
    this.#refusals = new Refusals(time, limits)
    this.#repetitions = new Refusals(time, limits)
  }

  /** Throws ERR_OVERLOADED. */
  connected(address: string): void {
    add(this.#connections, address, this.#limits.connectionsPerAddressMax)
  }

  disconnected(address: string): void {
    remove(this.#connections, address)
  }

  /** A connection of the address enters a room. Throws ERR_OVERLOADED. */
  entered(address: string): void {
    add(this.#members, address, this.#limits.membersPerAddressMax)
  }

  left(address: string): void {
    remove(this.#members, address)
  }

  /**
   * Runs what asks about somebody there, and settles as it does. Those of one place wait for each other, so that nobody
   * there can take all of what `authorize` can do. Bounded by the connections and what each may have under way.
   */
  async attempt<T>(address: string, ask: () => Promise<T>): Promise<T> {
    const network = networkOf(address)
    if (network === null) return ask()
    const queue = this.#attempts.get(network) ?? this.#newQueue()
    this.#attempts.set(network, queue)
    try {
      return await queue.run(ask)
    } finally {
      if (queue.isIdle) this.#attempts.delete(network)
    }
  }

  /**
   * Somebody there was not let in; `attempt` names what was refused. Resolves when they may hear it, to how often the same
   * was refused lately, this time included; never, if the server has stopped before.
   */
  async refusal(address: string, attempt: string): Promise<number> {
    const count = this.#repetitions.add(attempt)
    const delayMs = Math.max(this.refused(address), this.#repetitions.delayMs(count - repetitionsFree))
    if (delayMs > 0) await this.#wait(delayMs)
    return count
  }

  #wait(delayMs: number): Promise<void> {
    return new Promise<void>(resolve => {
      const cancel = this.#time.after(delayMs, () => {
        this.#delays.delete(cancel)
        resolve()
      })
      this.#delays.add(cancel)
    })
  }

  /** Leaves no timer. */
  close(): void {
    for (const cancel of this.#delays) cancel()
    this.#delays.clear()
  }

  /** Somebody there was not let in. Returns how long they wait for that answer: whoever guesses, guesses slowly. */
  refused(address: string): number {
    const network = networkOf(address)
    return network === null ? 0 : this.#refusals.delayMs(this.#refusals.add(network) - refusalsFree)
  }

  #newQueue(): WorkQueue {
    return new WorkQueue({
      atOnceMax: this.#limits.attemptsPerAddressMax,
      waitingMax: Number.POSITIVE_INFINITY
    })
  }
}

function add(counts: Map<string, number>, address: string, max: number): void {
  const network = networkOf(address)
  if (network === null) return
  const count = counts.get(network) ?? 0
  if (count >= max) throw new Fault('ERR_OVERLOADED', `${count} from ${network}`)
  counts.set(network, count + 1)
}

function remove(counts: Map<string, number>, address: string): void {
  const network = networkOf(address)
  if (network === null) return
  const count = counts.get(network) ?? 0
  if (count > 1) counts.set(network, count - 1)
  else counts.delete(network)
}

/** Who is counted as one: the client's address, or its /64. */
export function clientNetwork({ socket, headers }: IncomingMessage, trusted: BlockList): string {
  const remote = socket.remoteAddress ?? 'unknown'
  const address = clientAddress({ remote, header: headers['x-forwarded-for'], trusted })
  return networkOf(address) ?? address
}

/** One subscriber has one IPv4 address, or a whole /64 of IPv6. Null for this machine. */
export function networkOf(address: string): string | null {
  if (address === '::1' || address.startsWith('127.')) return null
  if (!isIPv6(address)) return address
  const [head = '', tail = ''] = address.split('::')
  const first = head.split(':').filter(group => group !== '')
  const last = address.includes('::') ? tail.split(':').filter(group => group !== '') : []
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0')
  const groups = [...first, ...zeros, ...last].slice(0, 4)
  return `${groups.map(group => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}

function isTrusted(address: string, trusted: BlockList): boolean {
  return isIP(address) !== 0 && trusted.check(address, familyOf(address))
}

/** IPv4 in IPv6 (`::ffff:10.0.0.1`) is the same address, and zones are this machine's own business. */
function plainAddress(address: string): string {
  const lower = address.toLowerCase().replace(/%.*$/, '')
  return lower.startsWith('::ffff:') && isIP(lower.slice(7)) === 4 ? lower.slice(7) : lower
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIPv6(address) ? 'ipv6' : 'ipv4'
}

/** `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(hop)
  if (bracketed !== null) return bracketed[1] ?? ''
  return hop.replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
}
