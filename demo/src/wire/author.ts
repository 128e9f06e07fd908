// Who made something, as far as that is known.

export type Author = {
  readonly clientID: number
  /** Null when nobody has said who this clientID is. */
  readonly person: { readonly name: string; readonly color: string } | null
}

/** Knows authors, and learns from each state that passes. */
export type People = {
  author(clientID: number): Author
  note(clientID: number, state: Readonly<Record<string, unknown>> | null): void
}

/** A name, or as much as can be said. */
export function authorName({ clientID, person }: Author): string {
  return person?.name ?? `client ${clientID}`
}
