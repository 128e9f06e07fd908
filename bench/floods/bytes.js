/** The bytes that the floods send: numbers as lib0 writes them, and messages of the y-websocket dialect. */

/** A sync message of this step (0: SyncStep1, 2: Update). */
export function message(step, body) {
  const head = writer(16)
  for (const number of [0, step, body.length]) head.write(number)
  return Buffer.concat([head.done(), body])
}

/** Writes variable-length numbers and single bytes, up to `capacity` bytes. */
export function writer(capacity) {
  const bytes = Buffer.alloc(capacity + 16)
  let at = 0
  return {
    write(value) {
      let rest = value
      for (; rest > 127; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
      bytes[at++] = rest
    },
    copy(values) {
      for (const value of values) bytes[at++] = value
    },
    done: () => bytes.subarray(0, at)
  }
}
