/** Sends what has become durable: one write per member, encoded once per dialect and routing key. */
import { type Frame, joinFrames, repeatFrame } from '../dialect/frame.ts'
import type { UpdateScan } from '../document/scan.ts'
import { mergeUpdates } from '../document/splice.ts'
import type { Member } from './member.ts'

/** An accepted update. `member` sent it, and is not sent it back if the whole batch is its own. */
export type Sent = { readonly update: Uint8Array; readonly member: Member | null }

/** Each live member gets the batch, and each that is owed receipts gets those in the same write. */
export function broadcast(members: ReadonlySet<Member>, batch: readonly Sent[], durableTicket: number): void {
  const soleAuthor = soleAuthorOf(batch)
  const updates = mergedUpdates(batch.map(({ update }) => update))
  const frames = new Map<string, Frame>()
  for (const member of members) {
    const receipts = receiptsOf(member, durableTicket)
    if (member.phase.type !== 'live' || member === soleAuthor) {
      if (receipts !== null) member.port.send(receipts)
      continue
    }
    let frame = frames.get(member.encoder.key)
    if (frame === undefined) {
      frame = joinFrames(updates.map(member.encoder.update))
      frames.set(member.encoder.key, frame)
    }
    member.port.send(receipts === null ? frame : joinFrames([frame, receipts]))
  }
}

/** Tells the member of what is durable by now. */
export function sendReceipts(member: Member, durableTicket: number): void {
  const frame = receiptsOf(member, durableTicket)
  if (frame !== null) member.port.send(frame)
}

function receiptsOf({ receipts, acknowledgements, encoder }: Member, durableTicket: number): Frame | null {
  if (acknowledgements !== null) {
    const newly = acknowledgements.take(durableTicket)
    return newly === null ? null : encoder.acknowledged(newly)
  }
  const count = receipts?.take(durableTicket) ?? 0
  const saved = count === 0 ? null : encoder.saved()
  return saved === null ? null : repeatFrame(saved, count)
}

/** A larger batch is not worth holding the event loop for. */
const mergedBytesMax = 64 * 1024

/** What a batch is sent as: one update, so that a client parses, applies and draws once. */
function mergedUpdates(updates: readonly Uint8Array[]): readonly Uint8Array[] {
  if (updates.length < 2) return updates
  const bytes = updates.reduce((sum, update) => sum + update.length, 0)
  return bytes > mergedBytesMax ? updates : [mergeUpdates(updates)]
}

function soleAuthorOf(batch: readonly Sent[]): Member | null {
  const author = batch[0]?.member ?? null
  return batch.every(({ member }) => member === author) ? author : null
}

/** A reader's update is not taken: it is told, and what its receipts count is kept in step. */
export function refuseReader(member: Member, type: 'update' | 'sync-step-2', { structs }: UpdateScan): void {
  if (member.acknowledgements !== null) {
    return member.port.send(member.encoder.notTaken(member.acknowledgements.refused()))
  }
  if (type === 'update') member.receipts?.updateRefused(structs)
  else member.receipts?.step2Refused()
  const frame = member.encoder.notSaved('read-only')
  if (frame !== null) member.port.send(frame)
}
