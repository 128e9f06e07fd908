// Keeping what passes until somebody decodes it, and how things stood when that began. Nothing is looked at here.
import * as Y from 'yjs'
import type { Participant } from '../participant.ts'
import type { Passage } from './tap.ts'

export type Listening = {
  /** The document when it began. */
  readonly state: Uint8Array
  /** Who was known to be here when it began. */
  readonly present: ReadonlyMap<number, Readonly<Record<string, unknown>>>
  /** How many acknowledgements were due when it began. */
  readonly unacknowledged: number
  /** Hands over what has passed since the last time; `lost` says how much more there was than is kept. */
  take(): { readonly passages: readonly Passage[]; readonly lost: number }
  /** Is called for each message; replaces whoever was called before. */
  onPassage(listener: () => void): void
  stop(): void
}

const keptMax = 2000

/** Begins to listen to a pane; one listening per pane at a time. */
export function listenTo({ doc, provider, wire }: Participant): Listening {
  let passages: Passage[] = []
  let lost = 0
  let tell = () => {}
  wire.tap.listen(passage => {
    if (passages.length >= keptMax) lost += 1
    else passages.push(passage)
    tell()
  })
  return {
    state: Y.encodeStateAsUpdate(doc),
    present: new Map(provider.awareness.getStates()),
    unacknowledged: wire.unacknowledged(),
    take() {
      const taken = { passages, lost }
      passages = []
      lost = 0
      return taken
    },
    onPassage(listener) {
      tell = listener
      if (passages.length > 0) tell()
    },
    stop() {
      wire.tap.listen(null)
    }
  }
}
