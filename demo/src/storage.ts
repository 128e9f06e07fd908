// What the browser remembers for us. Storage can be full or forbidden (private windows): then nothing is kept.

/** Reads a remembered text, or null when there is none or storage is forbidden. */
export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`chorus.${key}`)
  } catch {
    return null
  }
}

/** Remembers a text for the next visit, as well as the browser allows. */
export function remember(key: string, value: string): void {
  try {
    localStorage.setItem(`chorus.${key}`, value)
  } catch {
    // The page works without: the value lives until the tab is closed.
  }
}
