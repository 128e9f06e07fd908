/**
 * Answers of workers as JSON in UTF-8: bytes cross threads without a copy, and whoever asks over HTTP is sent them as they
 * are. Runs in a worker.
 */
import * as Y from 'yjs'
import { Fault } from '../base/errors.ts'

/** What JSON does not have is told apart: `{ bigint }`, `{ base64 }` of bytes, `{ document }` of one within this. */
function plain(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  // Y.Doc has a toJSON, of which this is called with the result.
  const raw = this[key]
  if (typeof raw === 'bigint') return { bigint: String(raw) }
  if (raw instanceof Uint8Array) return { base64: Buffer.from(raw).toString('base64') }
  return raw instanceof Y.Doc ? { document: raw.guid } : value
}

export function asJson(value: unknown, bytesMax: number): Uint8Array {
  return encodedJson(JSON.stringify(value, plain), bytesMax)
}

export function encodedJson(json: string, bytesMax: number): Uint8Array {
  const bytes = new TextEncoder().encode(json)
  if (bytes.length <= bytesMax) return bytes
  throw new Fault('ERR_ANSWER_TOO_LARGE', `an answer of ${bytes.length} bytes`)
}
