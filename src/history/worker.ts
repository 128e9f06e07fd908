/** The program of a history's worker threads: sealing, reading, restoring. It keeps nothing between jobs. */
import type { Author } from '../../persistence/author.ts'
import { mergeUpdates } from '../document/splice.ts'
import { answerJobs } from '../document/worker-thread.ts'
import { activity } from './activity.ts'
import { Attributions } from './attribution.ts'
import { asJson, contentsJson, differencesJson } from './contents.ts'
import { differences } from './differences.ts'
import type {
  DifferencesMessage,
  HistoryAnswer,
  HistoryJob,
  HistoryJobs,
  KeyframeMessage,
  MomentMessage,
  PastMessage,
  SealedMessage,
  SealMessage,
  UnsealedMessage
} from './jobs.ts'
import { openKeyframe, packKeyframe } from './keyframe.ts'
import { decodeKnown, encodeKnown } from './known.ts'
import { deedsIn, documentAt, type Past } from './moment.ts'
import { type Restored, restore, undo } from './restore.ts'
import {
  gather,
  mergeSegments,
  openBody,
  openTimeline,
  type Part,
  type Segment,
  seal,
  type UpdatePlace
} from './segment.ts'

type Progress = (share: number) => void

const everything = { sequence: Number.MAX_SAFE_INTEGER }

answerJobs<HistoryJob, HistoryAnswer>({ run, bytesOf })

function run(message: HistoryJob, progress: Progress): HistoryAnswer {
  const { type } = message
  switch (type) {
    case 'seal':
      return { type, result: sealed(message.job) }
    case 'merge': {
      const segment = mergeSegments(message.job.segments)
      return { type, result: { segment, ...sizesOf(segment) } }
    }
    case 'firstKeyframe':
      return { type, result: keyframeOf(message.job.updates) }
    case 'keyframe': {
      const { past, from } = message.job
      return { type, result: keyframeOf([documentOf(openPast(past), { from, moment: everything })]) }
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
      const changes = openPast(past).flatMap(part => openTimeline(part).changes)
      return { type, result: asJson(activity(changes, question), Number.POSITIVE_INFINITY) }
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

function sealed({ known, records, refused, exact }: SealMessage): SealedMessage {
  const job = { known: decodeKnown(known), records, isRefused: isAmong(refused), exact: new Set(exact) }
  const { segment, known: after, waiting } = seal(job)
  return { segment, known: encodeKnown(after), waiting, ...sizesOf(segment) }
}

function sizesOf(segment: Segment | null): { bodyBytes: number; changes: number } {
  if (segment === null) return { bodyBytes: 0, changes: 0 }
  return { bodyBytes: openBody(segment).length, changes: openTimeline(segment).changes.length }
}

function keyframeOf(updates: readonly Uint8Array[]) {
  const { bytes, known } = packKeyframe(updates)
  return { keyframe: bytes, known: encodeKnown(known) }
}

/** Timelines are read several times, bodies where they are needed. Of what is not sealed every record can be told apart. */
function openPast({ segments, unsealed }: PastMessage): Part[] {
  const parts: Part[] = segments.map(({ firstSequence, firstMs, timeline, body }) => {
    return { firstSequence, firstMs, opened: openTimeline({ timeline }), body }
  })
  const last = unsealed === null ? null : gathered(unsealed)
  return last === null ? parts : [...parts, last]
}

function gathered({ known, records, refused }: UnsealedMessage): Part | null {
  const exact = new Set(records.map(({ sequence }) => sequence))
  return gather({ known: decodeKnown(known), records, isRefused: isAmong(refused), exact }).part
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
  const segments = parts.filter(({ firstSequence }) => firstSequence > from.sequence)
  return { keyframe: openKeyframe(from.bytes), segments }
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
  const by = new Attributions(changesOf(parts), copies)
  progress(1 / 2)
  const found = differences({ was: earlier, is: later, by, roots })
  progress(3 / 4)
  return differencesJson(found, answerBytesMax)
}

function* changesOf(parts: readonly Part[]) {
  for (const part of parts) yield* openTimeline(part).changes
}

function restored({ past, at, now, copies }: HistoryJobs['restore']['job'], progress: Progress): Restored {
  const was = documentOf(openPast(past), at)
  progress(1 / 4)
  return restore({ past: was, now: mergeUpdates(now), copies })
}

function undone(
  { past, after, upTo, by, now, copies }: HistoryJobs['undo']['job'],
  progress: Progress
): Restored {
  const isOf = (author: Author | null) =>
    'user' in by ? author?.user === by.user : author?.connection === by.connection
  const deeds = deedsIn(pastFrom(openPast(past), upTo.from), { after, upTo: upTo.moment, isOf })
  progress(1 / 4)
  return undo({ ...deeds, now: mergeUpdates(now), copies })
}

/** What each answer holds of bytes, all of them this thread's own. */
function bytesOf(answer: HistoryAnswer): readonly Uint8Array[] {
  switch (answer.type) {
    case 'seal':
      return [...bytesOfSegment(answer.result.segment), answer.result.known]
    case 'merge':
      return bytesOfSegment(answer.result.segment)
    case 'firstKeyframe':
    case 'keyframe':
      return [answer.result.keyframe, answer.result.known]
    case 'at':
    case 'json':
    case 'activity':
    case 'differences':
      return [answer.result]
    case 'restore':
    case 'undo':
      return answer.result.update === null ? [] : [answer.result.update]
    default:
      return answer satisfies never
  }
}

function bytesOfSegment(segment: Segment | null): readonly Uint8Array[] {
  return segment === null ? [] : [segment.timeline, segment.body]
}
