/** What a document may be called. */
import { Fault } from '../errors.ts'
import type { Limits } from '../limits.ts'

/** Throws ERR_ROOM_NAME unless it is text of 1 to `roomNameLengthMax` UTF-16 units without lone surrogates. */
export function checkDocumentName(name: string, { roomNameLengthMax }: Limits): void {
  if (name.length > 0 && name.length <= roomNameLengthMax && name.isWellFormed()) return
  throw new Fault('ERR_ROOM_NAME', `a document name of ${name.length} characters`)
}
