/**
 * Writes of the Durable Streams dialect: a document that is created, and updates that are posted. What is answered with
 * success is durable.
 */

import { toFault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Time } from '../base/time.ts'
import {
  headers,
  messagesOf,
  offsetOf,
  type ProducerClaim,
  readProducer
} from '../dialect/durable-streams.ts'
import type { Reply } from '../http/message.ts'
import type { Addresses } from './addresses.ts'
import type { Producers } from './producers.ts'
import { noDocument, refusal, tooLarge, tooMany } from './stream-answers.ts'
import { type Bodies, readBody } from './stream-body.ts'
import { type Asked, isThere, type StreamVisits, type Visit, type Writer } from './stream-visits.ts'

type Parts = {
  readonly visits: StreamVisits
  readonly producers: Producers
  readonly bodies: Bodies
  readonly addresses: Pick<Addresses, 'refusal'>
  readonly time: Time
  readonly limits: Limits
}

/** Creates the document if it is not there; a body is its first updates. */
export function put(parts: Parts, asked: Asked): Promise<Reply> {
  return withBody(parts, asked, async (visit, updates) => {
    const { room, member } = visit
    const isStored = await isThere(visit)
    if (!isStored && member.access !== 'write') return mayNotWrite(null)
    const isNew = !isStored && (await room.log.create(member.author))
    if (updates.length > 0 && !(await commit(parts, visit, updates))) return mayNotWrite(null)
    const location = { location: pathOf(asked) }
    return written(isNew ? 201 : 200, room.log.position, location)
  })
}

/** Takes updates. 200 for what a producer has numbered, else 204. */
export function post(parts: Parts, asked: Asked): Promise<Reply> {
  const { header } = asked.request
  const claim = readProducer(header, parts.limits.producerIdLengthMax)
  // A client that leaves says that its log ends. It is everybody's, and goes on.
  const isFarewell = header(headers.closed)?.toLowerCase() === 'true'
  return withBody(parts, asked, async (visit, updates) => {
    if (!(await isThere(visit))) return noDocument
    if (visit.member.access !== 'write') return mayNotWrite(claim)
    if (updates.length > 0) return take(parts, visit, { claim, updates })
    if (!isFarewell) return refusal(400, ['INVALID_REQUEST', 'the body is empty'])
    return written(204, visit.room.log.position)
  })
}

type Use = (visit: Visit, updates: readonly Uint8Array[]) => Promise<Reply>

/** Who asks is admitted before anything of the body is read. */
async function withBody(parts: Parts, asked: Asked, use: Use): Promise<Reply> {
  const { visits, bodies, limits } = parts
  let body: readonly Uint8Array[] | null = null
  return visits.in(asked, async visit => {
    // Once: the room may have restarted since.
    if (body === null) {
      const owedMs = await level(parts, visit)
      if (owedMs > 0) return tooMany(owedMs)
      const bytes = await readBody(bodies, asked)
      if (bytes === null) return tooLarge(`a body may have ${limits.frameBytesMax} bytes`)
      body = await updatesOf(parts, asked, bytes)
      if (body.length > limits.streamUpdatesMax) {
        return tooLarge(`a body may have ${limits.streamUpdatesMax} updates`)
      }
      visits.charge(visit.writer, bytes.length)
    }
    return use(visit, body)
  })
}

/** Waits until the writer owes nothing, if that is not long. Resolves to what it owes then. */
async function level({ visits, time, limits }: Parts, { writer }: Visit): Promise<number> {
  const owedMs = visits.owedMs(writer)
  if (owedMs === 0 || owedMs > limits.requestWaitMsMax) return owedMs
  await new Promise<void>(resolve => void time.after(owedMs, resolve))
  return 0
}

/** Whoever sends nonsense waits for the answer as in the other dialects. */
async function updatesOf(
  parts: Parts,
  { visitor, document }: Asked,
  bytes: Uint8Array
): Promise<Uint8Array[]> {
  const { addresses, limits } = parts
  const updates: Uint8Array[] = []
  try {
    for (const update of messagesOf(bytes)) {
      updates.push(update)
      if (updates.length > limits.streamUpdatesMax) break
    }
    return updates
  } catch (error) {
    await addresses.refusal(visitor.address, JSON.stringify(['body', document, visitor.address]))
    throw toFault(error)
  }
}

type Write = { readonly claim: ProducerClaim | null; readonly updates: readonly Uint8Array[] }

async function take(parts: Parts, visit: Visit, { claim, updates }: Write): Promise<Reply> {
  const { producers } = parts
  const { room, document, writer } = visit
  if (claim === null) {
    if (!(await commit(parts, visit, updates))) return mayNotWrite(null)
    return written(204, room.log.position)
  }
  const producer = keyOf(writer, document, claim)
  return producers.inTurn(producer, async () => {
    const verdict = producers.judge(producer, claim)
    const refused = refusedFor(verdict, claim)
    if (refused !== null) return refused
    if (!(await commit(parts, visit, updates))) return mayNotWrite(claim)
    producers.taken(producer, claim)
    const seq = verdict.type === 'repeated' ? verdict.seq : claim.seq
    return written(verdict.type === 'repeated' ? 204 : 200, room.log.position, {
      [headers.producerEpoch]: String(claim.epoch),
      [headers.producerSeq]: String(seq)
    })
  })
}

function refusedFor(verdict: ReturnType<Producers['judge']>, { seq }: ProducerClaim): Reply | null {
  switch (verdict.type) {
    case 'next':
    case 'repeated':
      return null
    case 'gap':
      return refusal(409, ['SEQUENCE_GAP', 'an earlier write of this producer has not come'], {
        [headers.expectedSeq]: String(verdict.expected),
        [headers.receivedSeq]: String(seq)
      })
    case 'stale':
      return refusal(403, ['STALE_EPOCH', 'the producer has begun another epoch'], {
        [headers.producerEpoch]: String(verdict.epoch)
      })
    case 'not-from-zero':
      return refusal(400, ['INVALID_REQUEST', 'a new epoch begins with Producer-Seq 0'])
    default:
      return verdict satisfies never
  }
}

/** Producers of others are none of theirs, whatever they are called. */
function keyOf({ source }: Writer, document: string, { id }: ProducerClaim): string {
  return JSON.stringify([document, source, id])
}

/** So much of a body's updates is done in one turn of the event loop. */
const turnMs = 2

/** Commits them in order. Resolves when all are durable; to false when its writer may not write (any more). */
async function commit(
  { visits, time }: Parts,
  visit: Visit,
  updates: readonly Uint8Array[]
): Promise<boolean> {
  const { room, member, port, writer } = visit
  let turnBeganMs = time.nowMs()
  for (const update of updates) {
    await port.ready()
    if (member.access !== 'write') return false
    const beganMs = time.nowMs()
    room.receive(member, { type: 'update', update })
    visits.spend(writer, time.nowMs() - beganMs)
    if (member.isRefused) await ended(visit)
    if (time.nowMs() - turnBeganMs < turnMs) continue
    await new Promise<void>(resolve => void time.soon(resolve))
    turnBeganMs = time.nowMs()
  }
  await port.ready()
  if (member.isRefused) await ended(visit)
  if (member.access !== 'write') return false
  await room.log.durable()
  return true
}

/** It is told when what it sent was set aside. */
function ended({ port }: Visit): Promise<never> {
  return port.unlessOver(new Promise<never>(() => {}))
}

/**
 * The provider takes 403 for an epoch that is stale, and sends the same again at once with the next one, for ever. 401 makes
 * it stop.
 */
function mayNotWrite(claim: ProducerClaim | null): Reply {
  const why = ['FORBIDDEN', 'no right to write to this document'] as const
  return claim === null ? refusal(403, why) : refusal(401, why, { 'www-authenticate': 'Bearer' })
}

function written(status: number, position: number, extra: Readonly<Record<string, string>> = {}): Reply {
  return {
    status,
    headers: { [headers.nextOffset]: offsetOf(position), 'cache-control': 'no-store', ...extra },
    body: ''
  }
}

function pathOf({ visitor }: Asked): string {
  return visitor.url.split('?', 1)[0] ?? '/'
}
