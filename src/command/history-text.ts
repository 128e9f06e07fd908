/** What a server says of a document's past, as text for people. Colours are of a terminal, and left out elsewhere. */
import type {
  ActivityAnswer,
  HistoryExtent,
  HistoryVersion,
  PruneAnswer,
  RestoreAnswer
} from '../documents/history-api.ts'

type Reason = {
  readonly author: {
    readonly user: string | null
    readonly connection: string | null
    readonly origin: string
  } | null
  readonly timeMs: number
}
type Piece = {
  readonly change: 'kept' | 'added' | 'removed' | 'formatted'
  readonly by: number
  readonly text?: string
  readonly value?: unknown
  readonly type?: Type
}
type Type = {
  readonly pieces: readonly Piece[]
  readonly entries: Readonly<Record<string, readonly Piece[]>>
}
type Differences = { readonly reasons: readonly Reason[]; readonly types: Readonly<Record<string, Type>> }

export type Answer = HistoryExtent &
  ActivityAnswer &
  HistoryVersion &
  PruneAnswer &
  RestoreAnswer &
  Differences

export function shown(action: string, answer: Answer, isColoured: boolean): string {
  switch (action) {
    case 'list':
      return extent(answer)
    case 'diff':
      return pieces(answer, { isColoured, isBlame: false })
    case 'blame':
      return pieces(answer, { isColoured, isBlame: true })
    case 'name':
      return `${answer.id}  ${answer.name}`
    case 'activity':
      return activity(answer)
    case 'unname':
      return `version:${answer.id} is gone`
    case 'undo':
      return answer.isChanged
        ? `taken back; before it: version:${answer.version}`
        : 'nothing had to be changed'
    case 'restore':
      return answer.isChanged ? `restored; before it: version:${answer.version}` : 'nothing had to be changed'
    case 'prune':
      return `${answer.bytes} bytes are gone; the history begins at ${time(answer.beginsAt.timeMs)}`
    default:
      return JSON.stringify(answer, null, 2)
  }
}

function extent({ beginsAt, head, lastMs, bytes, holes, versions }: HistoryExtent): string {
  const since = `from ${time(beginsAt.timeMs)}, record ${beginsAt.sequence}`
  const until = lastMs === null ? 'nothing was written' : `to ${time(lastMs)}, record ${head}`
  const missing = holes.map(({ afterSequence, toSequence, reason }) => {
    return `missing: records ${afterSequence + 1} to ${toSequence - 1}: ${reason}`
  })
  const named = versions.map(({ id, name, kind, timeMs, author }) => {
    const by = author === null ? '' : `  by ${JSON.stringify(author)}`
    return `version:${id}  ${time(timeMs)}  ${name === '' ? kind : JSON.stringify(name)}${by}`
  })
  return [`${since}\n${until}; ${bytes} bytes`, ...missing, ...named].join('\n')
}

function activity({ bursts, isComplete }: ActivityAnswer): string {
  const lines = bursts.map(burst => {
    const { inserted, deleted, fromMs, toMs, author } = burst
    return `${time(fromMs)} to ${time(toMs)}  +${inserted} -${deleted}  ${nameOf(author)}`
  })
  if (!isComplete) lines.unshift('earlier ones are left out')
  return lines.length === 0 ? 'nobody has written anything' : lines.join('\n')
}

type Look = { readonly isColoured: boolean; readonly isBlame: boolean }

function pieces({ reasons, types }: Differences, look: Look): string {
  const lines: string[] = []
  const told = (name: string, piece: Piece) => {
    if (piece.type !== undefined) return walk(name, piece.type)
    if (!look.isBlame && piece.change === 'kept') return
    const what = piece.text === undefined ? JSON.stringify(piece.value) : JSON.stringify(piece.text)
    lines.push(`${name}  ${marked(piece.change, what, look)}  ${reasonOf(reasons[piece.by - 1])}`)
  }
  const walk = (name: string, type: Type) => {
    for (const piece of type.pieces) told(name, piece)
    for (const [key, all] of Object.entries(type.entries))
      for (const piece of all) told(`${name}.${key}`, piece)
  }
  for (const [name, type] of Object.entries(types)) walk(name, type)
  return lines.length === 0 ? 'nothing has changed' : lines.join('\n')
}

const signs = { kept: ' ', added: '+', removed: '-', formatted: '~' } as const
const colours = { kept: 0, added: 32, removed: 31, formatted: 33 } as const

function marked(change: Piece['change'], what: string, { isColoured, isBlame }: Look): string {
  const text = isBlame ? what : `${signs[change]} ${what}`
  return isColoured && !isBlame ? `\u001b[${colours[change]}m${text}\u001b[0m` : text
}

function reasonOf(reason: Reason | undefined): string {
  if (reason === undefined) return 'before the history'
  const { author, timeMs } = reason
  return `${nameOf(author)}, ${time(timeMs)}`
}

function nameOf(author: Reason['author']): string {
  return author === null ? 'somebody' : (author.user ?? author.connection ?? author.origin)
}

function time(ms: number): string {
  return new Date(ms).toISOString()
}
