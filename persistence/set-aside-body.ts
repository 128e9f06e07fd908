/**
 * The body of a set-aside entry, in its layouts: of kind 0b; of kind 0c, whose bytes lie in parts; and of kind 06, which had
 * one name for the author and is only read. Pure; README.md describes them.
 */
import { authorMarks, authorOfName, readAuthor } from './author.ts'
import { plain } from './format.ts'
import type { SetAside } from './store.ts'

/** time f64 . marks of the author u8 . [user] . [connection] . reason . bytes; a string := length u32 . UTF-8 */
export function encodeSetAside({ author, timeMs, reason, bytes }: SetAside): Buffer {
  const start = Buffer.alloc(9)
  start.writeDoubleBE(timeMs, 0)
  start[8] = authorMarks(author)
  const texts = [author?.user, author?.connection, reason].filter(text => text != null)
  return Buffer.concat([start, ...texts.map(counted), bytes])
}

export function decodeSetAside(body: Buffer): SetAside {
  const text = textsOf(body, 9)
  const author = readAuthor(body.readUInt8(8), () => text.next())
  const reason = text.next()
  return { timeMs: body.readDoubleBE(0), author, reason, bytes: plain(body.subarray(text.end())) }
}

/** Where the bytes of an entry lie: as segments 0 to `count` - 1 of generation 1 of an incarnation that no document has. */
export type PartsReference = { readonly incarnation: number; readonly count: number }

/** Of kind 0c: as 0b, with a reference in the place of the bytes: incarnation u48 . count u32 */
export function encodeSetAsideParts(
  entry: Omit<SetAside, 'bytes'>,
  { incarnation, count }: PartsReference
): Buffer {
  const bytes = Buffer.alloc(10)
  bytes.writeUIntBE(incarnation, 0, 6)
  bytes.writeUInt32BE(count, 6)
  return encodeSetAside({ ...entry, bytes })
}

export function decodeSetAsideParts(body: Buffer): Omit<SetAside, 'bytes'> & PartsReference {
  const { bytes, ...entry } = decodeSetAside(body)
  const reference = Buffer.from(bytes)
  return { ...entry, incarnation: reference.readUIntBE(0, 6), count: reference.readUInt32BE(6) }
}

/** Of kind 06: time f64 . author . reason . bytes */
export function decodeSetAsideNamed(body: Buffer): SetAside {
  const text = textsOf(body, 8)
  const author = authorOfName(text.next())
  const reason = text.next()
  return { timeMs: body.readDoubleBE(0), author, reason, bytes: plain(body.subarray(text.end())) }
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length, 0)
  return Buffer.concat([length, bytes])
}

/** The strings of a body, one after the other from `start` on. */
function textsOf(body: Buffer, start: number): { next(): string; end(): number } {
  let at = start
  const next = () => {
    const from = at + 4
    at = from + body.readUInt32BE(at)
    return body.toString('utf8', from, at)
  }
  return { next, end: () => at }
}
