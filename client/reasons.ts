/** Close codes in words that an application may show to people, and which of them are final (PROTOCOL.md, close codes). */
import type { Closed } from './transport.ts'

/** Coming again does not help: 4400 to 4499. */
export function isFinal({ code }: Closed): boolean {
  return code >= 4400 && code <= 4499
}

/** Another token may help. */
export function isAboutToken({ code }: Closed): boolean {
  return code === 4401 || code === 4503
}

/** The document was deleted, and this copy of it is of its life before. */
export function isOldCopy({ code }: Closed): boolean {
  return code === 4410
}

const sentences: Readonly<Record<number, string>> = {
  1012: 'The server restarts. Your changes are sent as soon as it is back.',
  1013: 'The server is busy. Your changes are sent as soon as it has room.',
  4400: 'The server did not understand this page. Reload it.',
  4401: 'You are signed out. Sign in again to go on.',
  4403: 'You have no access to this document.',
  4404: 'This document does not exist, or was deleted.',
  4410: 'This document was deleted. What you see is a copy from before, which is not saved any more.',
  4413: 'This change is too large for the server.',
  4500: 'The server could not take the last change. It is tried again.',
  4501: 'This document was opened again in your name.',
  4502: 'It cannot be checked at the moment who you are. It is tried again.',
  4503: 'Your sign-in has expired and is renewed.',
  4504: 'The document is not open yet. It is tried again.'
}

export const mayOnlyRead = 'You may only read this document. Your changes are not saved.'

/** Never empty. */
export function sentenceOf(closed: Closed): string {
  const sentence = sentences[closed.code]
  if (sentence !== undefined) return sentence
  return isFinal(closed) ? 'The server does not open this document.' : 'There is no connection to the server.'
}
