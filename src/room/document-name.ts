/** What a document may be called: one answer for every dialect, and for the application's own calls. */
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
