/** As Yjs chooses them. */
const clientIdMax = 2 ** 32

/** `random`: from 0 to below 1. */
export function newClientID(random: () => number): number {
  return Math.floor(random() * clientIdMax)
}
