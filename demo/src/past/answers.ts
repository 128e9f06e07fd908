// What the server answers about a document's past, as docs/history.md of the server describes it.

export type Author = {
  readonly user: string | null
  readonly connection: string | null
  readonly origin: string
}

/** Who did something, and when. */
export type Attribution = {
  readonly author: Author | null
  readonly timeMs: number
  readonly sequence: number
}

export type Piece = {
  readonly change: 'kept' | 'added' | 'removed' | 'formatted'
  readonly by: Attribution | null
  readonly text?: string
  readonly value?: unknown
}

/** What lies between two moments in one shared type, or who wrote what stands. */
export type Difference = {
  readonly pieces: readonly Piece[]
  readonly entries: Readonly<Record<string, readonly Piece[]>>
}

export type Burst = {
  readonly author: Author | null
  readonly fromMs: number
  readonly toMs: number
  readonly firstSequence: number
  readonly lastSequence: number
  readonly inserted: number
  readonly deleted: number
}

export type Version = {
  readonly id: string
  readonly name: string
  readonly kind: 'named' | 'before-restore' | 'before-agent'
  readonly sequence: number
  readonly timeMs: number
}

export type Extent = {
  readonly beginsAt: { readonly sequence: number; readonly timeMs: number }
  /** The last record of the document. */
  readonly head: number
  readonly versions: readonly Version[]
}

export type TakenBack = { readonly isChanged: boolean; readonly version: string | null }
