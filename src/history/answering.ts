/** What the worker threads of histories do: sealing, reading, restoring, each job from what it is given alone. */
import type { Author } from '../../persistence/author.ts'
import { ClockRuns } from '../document/clocks.ts'
import { asJson, contentsJson } from '../document/contents.ts'
import { mergeUpdates } from '../document/splice.ts'
import { activity } from './activity.ts'
import { Attributions } from './attribution.ts'
import { decodeCopies, encodeCopies } from './copies.ts'
import { differences } from './differences.ts'
import type { Known } from './integration.ts'
import type {
  DifferencesMessage,
  HistoryAnswer,
  HistoryJob,
  HistoryJobs,
  KeyframeMessage,
  MomentMessage,
  PastMessage,
  RestoredMessage,
  SealedMessage,
  SealMessage,
  TakeBackMessage,
  UnsealedMessage
} from './jobs.ts'
import { keyframeAfter, keyframeOf } from './keyframe.ts'
import { decodeKnown, encodeKnown } from './known.ts'
import { deedsIn, documentAt, type Past } from './moment.ts'
import { type Restored, restore, undo } from './restore.ts'
import {
  changesOf,
  gather,
  mergeSegments,
  OpenedPart,
  openUpdate,
  type Part,
  type Segment,
  seal,
  type UpdatePlace
} from './segment.ts'
import { encodeTimeline } from './timeline.ts'

type Progress = (share: number) => void

const emptyUpdate = new Uint8Array([0, 0])

/** Throws what reading the bytes of a job throws, and what Yjs throws. `progress` is told a share, from 0 to 1, now and then. */
export function answerTo(message: HistoryJob, progress: Progress): HistoryAnswer {
  const { type } = message
  switch (type) {
    case 'seal':
      return { type, result: sealed(message.job) }
    case 'merge':
      return { type, result: mergeSegments(message.job.segments) }
    case 'keyframe':
      return { type, result: keyframeOf(message.job.updates) }
    case 'keyframeAfter': {
      const { from, segments } = message.job
      return { type, result: keyframeAfter({ keyframe: from === null ? null : openUpdate(from), segments }) }
    }
    case 'at':
      return { type, result: documentOf(openPast(message.job.past), message.job.at) }
    case 'json': {
      const { past, at, types, answerBytesMax } = message.job
      const update = documentOf(openPast(past), at)
      progress(1 / 4)
      return { type, result: contentsJson(update, types, answerBytesMax) }
    }
    case 'activity': {
      const { past, question } = message.job
      const timelines = openPast(past).map(changesOf)
      return { type, result: asJson(activity(timelines, question), Number.POSITIVE_INFINITY) }
    }
    case 'differences':
      return { type, result: differencesOf(message.job, progress) }
    case 'restore':
      return { type, result: restored(message.job, progress) }
    case 'undo':
      return { type, result: undone(message.job, progress) }
    default:
      return message satisfies never
  }
}

function sealed({ known, records, refused, exact, after }: SealMessage): SealedMessage {
  const isRefused = isAmong(refused)
  const job = { known: knownOf(known), records, isRefused, exact: new Set(exact), after }
  const { segment, known: end, waiting } = seal(job)
  return { segment, known: encodeKnown(end), waiting }
}

function knownOf(bytes: Uint8Array | null): Known {
  return bytes === null ? { vector: new Map(), deletes: new ClockRuns() } : decodeKnown(bytes)
}

/** Of what is not sealed every record can be told apart. */
function openPast({ segments, unsealed }: PastMessage): Part[] {
  const parts: Part[] = segments.map(segment => new OpenedPart(segment))
  const last = unsealed === null ? null : gathered(unsealed)
  return last === null ? parts : [...parts, last]
}

function gathered({ known, records, refused, after }: UnsealedMessage): Part | null {
  const exact = new Set(records.map(({ sequence }) => sequence))
  const { part } = gather({ known: knownOf(known), records, isRefused: isAmong(refused), exact, after })
  if (part === null) return null
  const { opened, ...rest } = part
  return { ...rest, encoded: encodeTimeline(opened) }
}

function isAmong(places: readonly UpdatePlace[]): (place: UpdatePlace) => boolean {
  const keys = new Set(places.map(keyOf))
  return place => keys.has(keyOf(place))
}

function keyOf({ sequence, index }: UpdatePlace): string {
  return `${sequence} ${index}`
}

function pastFrom(parts: readonly Part[], from: KeyframeMessage | null): Past {
  if (from === null) return { keyframe: null, segments: parts }
  const segments = parts.filter(({ lastSequence }) => lastSequence > from.sequence)
  return { keyframe: openUpdate(from.bytes), segments }
}

function documentOf(parts: readonly Part[], { from, moment }: MomentMessage): Uint8Array {
  return documentAt(pastFrom(parts, from), moment)
}

function differencesOf(job: DifferencesMessage, progress: Progress): Uint8Array {
  const { past, was, is, copies, roots, answerBytesMax } = job
  const parts = openPast(past)
  const earlier = documentOf(parts, was)
  const later = is === null ? earlier : documentOf(parts, is)
  progress(1 / 4)
  const by = new Attributions(parts.map(changesOf), copies.flatMap(decodeCopies))
  progress(1 / 2)
  return differences({ was: earlier, is: later, by, roots, answerBytesMax })
}

function restored(job: HistoryJobs['restore']['job'], progress: Progress): RestoredMessage {
  const past = documentOf(openPast(job.past), job.at)
  progress(1 / 4)
  return messageOf(restore({ past, ...takenBack(job) }))
}

function undone(job: HistoryJobs['undo']['job'], progress: Progress): RestoredMessage {
  const { past, after, upTo, by } = job
  const isOf = (author: Author | null) =>
    'user' in by ? author?.user === by.user : author?.connection === by.connection
  const deeds = deedsIn(pastFrom(openPast(past), upTo.from), { after, upTo: upTo.moment, isOf })
  progress(1 / 4)
  return messageOf(undo({ ...deeds, ...takenBack(job) }))
}

function takenBack({ now, copies, client, roots }: TakeBackMessage) {
  return { now: mergeUpdates([...now, emptyUpdate]), copies: copies.flatMap(decodeCopies), client, roots }
}

function messageOf({ update, copies }: Restored): RestoredMessage {
  return { update, copies: copies.length === 0 ? null : encodeCopies(copies) }
}

/** What an answer holds of bytes, all of them made for it. */
export function bytesOf(answer: HistoryAnswer): readonly Uint8Array[] {
  switch (answer.type) {
    case 'seal':
      return [...bytesOfSegment(answer.result.segment), answer.result.known]
    case 'merge':
      return bytesOfSegment(answer.result)
    case 'keyframe':
    case 'keyframeAfter':
      return [answer.result.keyframe, answer.result.known]
    case 'at':
    case 'json':
    case 'activity':
    case 'differences':
      return [answer.result]
    case 'restore':
    case 'undo': {
      const { update, copies } = answer.result
      return [...(update === null ? [] : [update]), ...(copies === null ? [] : [copies])]
    }
    default:
      return answer satisfies never
  }
}

function bytesOfSegment(segment: Segment | null): readonly Uint8Array[] {
  return segment === null ? [] : [segment.timeline, segment.body]
}
