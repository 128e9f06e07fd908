/** A short name for a document, for topics and keys, which are shorter than names may be. */
import { createHash } from 'node:crypto'

export function hashedName(name: string): string {
  return createHash('sha256').update(name).digest('base64url')
}
