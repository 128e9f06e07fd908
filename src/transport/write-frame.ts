/** Writes a frame to the stream under a WebSocket, its chunks in one system call. */
import type { Duplex } from 'node:stream'
import type { Frame } from '../dialect/frame.ts'

/** Returns false when the stream has more to write than it wants: it says so with `drain` when that is over. */
export function writeFrame(stream: Duplex, frame: Frame): boolean {
  const first = frame[0]
  if (frame.length === 1 && first !== undefined) return stream.write(first)
  stream.cork()
  for (const chunk of frame) stream.write(chunk)
  stream.uncork()
  return !stream.writableNeedDrain
}
