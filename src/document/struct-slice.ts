/**
 * One struct in two: its bytes from an offset on, as Yjs writes it (Item.write), or up to one. Works on bytes; the
 * struct stands open in an UpdateReader.
 */
import type { ByteWriter } from './byte-writer.ts'
import { infoBit, structRef, UpdateReader } from './update-reader.ts'

/** U+FFFD, which Yjs puts in the place of each half of a surrogate pair that was cut. */
const replacementCharacter = new Uint8Array([0xef, 0xbf, 0xbd])

/**
 * Writes the struct the reader holds without its first `offset` clocks (0 < offset < length). Its origin becomes the
 * clock before, which makes parent and key superfluous; the reader stays where it is.
 */
export function sliceStruct(writer: ByteWriter, reader: UpdateReader, offset: number): void {
  const ref = reader.info & 0x1f
  if (ref === structRef.gc || ref === structRef.skip) {
    writer.writeByte(reader.info)
    writer.writeVarUint(reader.length - offset)
    return
  }
  writeSlicedHead(writer, reader, offset)
  sliceContent(writer, reader, offset)
}

function writeSlicedHead(writer: ByteWriter, reader: UpdateReader, offset: number): void {
  writer.writeByte(reader.info | infoBit.origin)
  writer.writeVarUint(reader.client)
  writer.writeVarUint(reader.clock + offset - 1)
  if ((reader.info & infoBit.rightOrigin) !== 0) {
    writer.writeVarUint(reader.rightClient)
    writer.writeVarUint(reader.rightClock)
  }
}

function sliceContent(writer: ByteWriter, reader: UpdateReader, offset: number): void {
  const ref = reader.info & 0x1f
  switch (ref) {
    case structRef.deleted:
      writer.writeVarUint(reader.length - offset)
      break
    case structRef.string:
      sliceText(writer, reader, offset)
      break
    case structRef.any:
    case structRef.json: {
      const elements = contentReader(reader)
      elements.readVarUint()
      elements.passElements(ref, offset)
      writer.writeVarUint(reader.length - offset)
      writer.writeRange(reader.bytes, elements.pos, reader.pos)
      break
    }
    default:
      // Everything else has length 1.
      throw new RangeError('a struct of this kind cannot be cut')
  }
}

function sliceText(writer: ByteWriter, reader: UpdateReader, offset: number): void {
  const cut = cutText(reader.bytes, textStart(reader), offset)
  const rest = reader.pos - cut.end
  writer.writeVarUint(cut.splitsPair ? rest + replacementCharacter.length : rest)
  if (cut.splitsPair) writer.writeRange(replacementCharacter, 0, replacementCharacter.length)
  writer.writeRange(reader.bytes, cut.end, reader.pos)
}

/**
 * Writes the first `length` clocks of the struct the reader holds (0 < length < its length), which may be cut there; the
 * reader stays where it is.
 */
export function writeBeginning(writer: ByteWriter, reader: UpdateReader, length: number): void {
  const ref = reader.info & 0x1f
  writer.writeRange(reader.bytes, reader.start, reader.contentStart)
  if (ref === structRef.string) return writeTextBeginning(writer, reader, length)
  writer.writeVarUint(length)
  if (ref !== structRef.any && ref !== structRef.json) return
  const elements = contentReader(reader)
  elements.readVarUint()
  const start = elements.pos
  elements.passElements(ref, length)
  writer.writeRange(reader.bytes, start, elements.pos)
}

function writeTextBeginning(writer: ByteWriter, reader: UpdateReader, units: number): void {
  const start = textStart(reader)
  const cut = cutText(reader.bytes, start, units)
  const end = cut.splitsPair ? cut.start : cut.end
  writer.writeVarUint(cut.splitsPair ? end - start + replacementCharacter.length : end - start)
  writer.writeRange(reader.bytes, start, end)
  if (cut.splitsPair) writer.writeRange(replacementCharacter, 0, replacementCharacter.length)
}

/** Where the text of the ContentString the reader holds begins, behind its length. */
export function textStart(reader: UpdateReader): number {
  const content = contentReader(reader)
  content.readVarUint()
  return content.pos
}

/**
 * Writes a piece of the ContentString the reader holds: bytes [start, end) of its text, between code points, `offset`
 * clocks after the struct's first.
 */
export function writeTextPiece(
  writer: ByteWriter,
  reader: UpdateReader,
  piece: { offset: number; start: number; end: number }
): void {
  if (piece.offset === 0) writer.writeRange(reader.bytes, reader.start, reader.contentStart)
  else writeSlicedHead(writer, reader, piece.offset)
  writer.writeVarUint(piece.end - piece.start)
  writer.writeRange(reader.bytes, piece.start, piece.end)
}

function contentReader(reader: UpdateReader): UpdateReader {
  return new UpdateReader(reader.bytes, reader.contentStart)
}

type TextCut = { readonly start: number; readonly end: number; readonly splitsPair: boolean }

/** The bytes of the code point that holds unit `units - 1`, and whether that code point reaches beyond it. */
function cutText(bytes: Uint8Array, textStart: number, units: number): TextCut {
  let start = textStart
  let end = textStart
  let passed = 0
  while (passed < units) {
    start = end
    const lead = bytes[end] ?? 0
    end += lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    passed += lead < 0xf0 ? 1 : 2
  }
  return { start, end, splitsPair: passed > units }
}
