// Names for things that several people make at the same time.

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz'

/** Fourteen characters, 72 bits. `crypto.randomUUID` is missing on plain http in a local network. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(14))
  return Array.from(bytes, byte => alphabet.charAt(byte % alphabet.length)).join('')
}
