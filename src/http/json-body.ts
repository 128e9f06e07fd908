/** What a request's body says: one JSON object, small. */
import { Fault } from '../base/errors.ts'
import { parseJson } from '../base/json.ts'
import { defaultLimits } from '../base/limits.ts'
import type { Request } from './router.ts'

const bodyBytesMax = 64 * 1024

/** Throws ERR_BAD_MESSAGE unless the body is a JSON object. */
export async function readObject(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const text = await request.text(bodyBytesMax)
  try {
    const value = parseJson(Buffer.from(text), defaultLimits.jsonDepthMax)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  } catch {
    // What JSON.parse says quotes the body.
  }
  throw new Fault('ERR_BAD_MESSAGE', 'the body is not a JSON object')
}

/** The field's text, or undefined when it is not there. Throws ERR_BAD_MESSAGE when it is something else. */
export function textOf(body: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = body[name]
  if (value === undefined) return undefined
  if (typeof value === 'string' && value !== '') return value
  throw new Fault('ERR_BAD_MESSAGE', `${name} is not a text`)
}
