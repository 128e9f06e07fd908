/** What a document may be called: one answer for every dialect, and for the application's own calls. And a short name for it. */
import { createHash } from 'node:crypto'
import { Fault } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'

/**
 * Throws ERR_ROOM_NAME unless it is text of 1 to `roomNameLengthMax` UTF-16 units without lone surrogates, and not of
 * blanks alone. Names are compared by their units: the same letters composed (NFC) and decomposed (NFD) are two names.
 */
export function checkDocumentName(name: string, { roomNameLengthMax }: Limits): void {
  if (name.length <= roomNameLengthMax && name.isWellFormed() && name.trim() !== '') return
  throw new Fault('ERR_ROOM_NAME', `a document name of ${name.length} characters, or of blanks alone`)
}

/** For topics and keys, which are shorter than names may be. */
export function hashedName(name: string): string {
  return createHash('sha256').update(name).digest('base64url')
}
