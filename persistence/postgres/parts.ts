/**
 * Values in parts: PostgreSQL and the driver hold a value several times over, so a long one is written as several rows, and
 * many short ones in one statement. It knows no tables.
 */

/** Of one part, and about that of one statement. */
const partBytesMax = 8 * 1024 * 1024
const statementPartsMax = 5_000

/** `of`: which value it is a part of. */
export type Part = { readonly of: number; readonly part: number; readonly bytes: Uint8Array }

type Value = { readonly of: number; readonly bytes: Uint8Array }

/** An empty value has one part. The parts share memory with the values. */
export function* partsOf(values: Iterable<Value>): Generator<Part> {
  for (const { of, bytes } of values) {
    for (let part = 0, at = 0; part === 0 || at < bytes.length; part++, at += partBytesMax) {
      yield { of, part, bytes: bytes.subarray(at, at + partBytesMax) }
    }
  }
}

/** As many as `partsOf` gives of it. */
export function partCount(bytes: Uint8Array): number {
  return Math.max(1, Math.ceil(bytes.length / partBytesMax))
}

/** What goes into one statement each; at least one step. */
export function* stepsOf(parts: readonly Part[]): Generator<Part[]> {
  let step: Part[] = []
  let bytes = 0
  for (const part of parts) {
    if (step.length > 0 && (bytes + part.bytes.length > partBytesMax || step.length === statementPartsMax)) {
      yield step
      step = []
      bytes = 0
    }
    step.push(part)
    bytes += part.bytes.length
  }
  yield step
}

/** Five parameters: whose, which part, offset (from 1), length, and the bytes of all in one. */
export function columnsOf(parts: readonly Part[]): unknown[] {
  let offset = 1
  const offsets = parts.map(({ bytes }) => {
    const start = offset
    offset += bytes.length
    return start
  })
  return [
    parts.map(({ of }) => of),
    parts.map(({ part }) => part),
    offsets,
    parts.map(({ bytes }) => bytes.length),
    Buffer.concat(parts.map(({ bytes }) => bytes))
  ]
}
