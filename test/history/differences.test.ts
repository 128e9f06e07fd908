/**
 * Differences of two moments against the two documents: what was kept and removed is the earlier one, what was kept and
 * added the later one; and who did it, against who did.
 */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { ClockRuns } from '../../src/document/clocks.ts'
import { encodeRecord } from '../../src/document/record.ts'
import { finish } from '../../src/document/steps.ts'
import { differencesOf } from '../../src/documents/history-answers.ts'
import type {
  TypeDifference as Difference,
  DifferencePiece as Piece
} from '../../src/documents/history-api.ts'
import { Attributions } from '../../src/history/attribution.ts'
import { type DifferencesJob, differences } from '../../src/history/differences.ts'
import { documentAt } from '../../src/history/moment.ts'
import { changesOf, type Segment, type StoredRecord, seal } from '../../src/history/segment.ts'
import { createHistory, createRandom, type Random, seed } from '../document/random-docs.ts'
import { plain } from './seen.ts'

type Side = 'was' | 'is'

const isOf = (side: Side, { change }: Piece) => change !== (side === 'was' ? 'added' : 'removed')

/** What one of the two moments had, as toDelta and toJSON say it. */
function sideOf(difference: Difference, side: Side): unknown {
  const pieces = difference.pieces.filter(piece => isOf(side, piece))
  if (difference.kind === 'text') return deltaOf(pieces, side)
  if (difference.kind === 'list') return pieces.map(piece => shownOf(piece, side))
  if (difference.kind === 'xml') {
    const children = pieces.map(piece => shownOf(piece, side))
    return { name: difference.name ?? null, attributes: entriesOf(difference, side), children }
  }
  return entriesOf(difference, side)
}

function entriesOf({ entries }: Difference, side: Side): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const [key, pieces] of Object.entries(entries)) {
    const piece = pieces.find(each => isOf(side, each))
    if (piece !== undefined) found[key] = shownOf(piece, side)
  }
  return found
}

function shownOf(piece: Piece, side: Side): unknown {
  if (piece.text !== undefined) return piece.text
  return piece.type === undefined ? piece.value : sideOf(piece.type, side)
}

function deltaOf(pieces: readonly Piece[], side: Side): unknown {
  return joined(
    pieces.map(piece => ({
      insert: shownOf(piece, side),
      attributes: (side === 'was' && piece.change === 'formatted' ? piece.before : piece.attributes) ?? {}
    }))
  )
}

type Insert = { readonly insert: unknown; readonly attributes: object }

/** Neighbours with the same attributes as one: Yjs parts them where a format stands that changes nothing. */
function joined(inserts: readonly Insert[]): readonly Insert[] {
  const all: Insert[] = []
  for (const next of inserts) {
    const last = all.at(-1)
    const isText = typeof last?.insert === 'string' && typeof next.insert === 'string'
    if (last !== undefined && isText && JSON.stringify(last.attributes) === JSON.stringify(next.attributes))
      all[all.length - 1] = { ...last, insert: `${last.insert}${next.insert}` }
    else all.push(next)
  }
  return all
}

/** The same of a document. */
function held(type: unknown): unknown {
  if (type instanceof Y.Text) {
    return joined(
      type.toDelta().map((each: { insert: unknown; attributes?: object }) => {
        const attributes = Object.entries(each.attributes ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
        return { insert: held(each.insert), attributes: Object.fromEntries(attributes) }
      })
    )
  }
  if (type instanceof Y.XmlElement || type instanceof Y.XmlFragment) {
    const attributes = type instanceof Y.XmlElement ? type.getAttributes() : {}
    const name = type instanceof Y.XmlElement ? type.nodeName : null
    return { name, attributes, children: type.toArray().map(held) }
  }
  if (type instanceof Y.Map) return Object.fromEntries([...type].map(([key, value]) => [key, held(value)]))
  if (type instanceof Y.Array) return type.toArray().map(held)
  if (type instanceof Uint8Array) return { base64: Buffer.from(type).toString('base64') }
  if (typeof type === 'bigint') return { bigint: String(type) }
  return type instanceof Y.Doc ? { document: type.guid } : type
}

const roots = {
  text: (doc: Y.Doc) => doc.getText('text'),
  rich: (doc: Y.Doc) => doc.getText('rich'),
  array: (doc: Y.Doc) => doc.getArray('array'),
  map: (doc: Y.Doc) => doc.getMap('map'),
  xml: (doc: Y.Doc) => doc.getXmlFragment('xml')
}

/** A root with nothing visible has no type that could be told; surrogate pairs that were cut are as Yjs has them. */
function shown(value: unknown): string {
  const text = JSON.stringify(value ?? null, plain)
  if (text === '{}' || text === 'null' || text === '{"attributes":{},"children":[],"name":null}') return '[]'
  return text.replaceAll(/[\ud800-\udbff][\udc00-\udfff]/g, '\ufffd\ufffd')
}

function docOf(update: Uint8Array): Y.Doc {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc
}

function historyOf(random: Random, steps: number): { segments: Segment[]; records: StoredRecord[] } {
  const { updates } = createHistory(random, { clients: 3, steps, syncRate: 0.3 })
  const records = updates.map((update, index) => {
    const author = { user: `user ${index % 3}`, connection: null, origin: 'client' as const }
    return {
      sequence: index + 1,
      record: encodeRecord([{ update, author, timeMs: 1_000_000 + index * 1_500 }])
    }
  })
  const job = { isRefused: () => false, exact: new Set(records.map(({ sequence }) => sequence)) }
  const { segment } = seal({ ...job, known: { vector: new Map(), deletes: new ClockRuns() }, records })
  return { segments: segment === null ? [] : [segment], records }
}

const differing = (job: Pick<DifferencesJob, 'was' | 'is' | 'by'>) =>
  finish(differencesOf(differences({ ...job, roots: null, answerBytesMax: 2 ** 30 })))

const attributionsOf = (segments: readonly Segment[]) => new Attributions(segments.map(changesOf), [])

describe(`differences (seed ${seed})`, () => {
  test('of any two moments hold both of them', () => {
    for (let run = 0; run < 60; run++) {
      const random = createRandom(seed + run)
      const { segments, records } = historyOf(random, 100)
      const by = attributionsOf(segments)
      const [one, other] = [random.below(records.length + 1), random.below(records.length + 1)]
      const at = (sequence: number) => documentAt({ keyframe: null, segments }, { sequence })
      const [was, is] = [at(Math.min(one, other)), at(Math.max(one, other))]
      const found = differing({ was, is, by })
      for (const [name, root] of Object.entries(roots)) {
        const difference = found[name]
        const where = `${name}, seed ${seed + run}, ${one} to ${other}`
        const side = (which: Side) => shown(difference === undefined ? null : sideOf(difference, which))
        expect(side('was'), where).toBe(shown(held(root(docOf(was)))))
        expect(side('is'), where).toBe(shown(held(root(docOf(is)))))
      }
    }
  })

  test('name who inserted, who deleted and who formatted', () => {
    const doc = new Y.Doc()
    const text = doc.getText('text')
    const records: StoredRecord[] = []
    let user = ''
    doc.on('update', (update: Uint8Array) => {
      const author = { user, connection: null, origin: 'client' as const }
      const timeMs = 1_000_000 * (records.length + 1)
      records.push({ sequence: records.length + 1, record: encodeRecord([{ update, author, timeMs }]) })
    })
    const as = (name: string, edit: () => void) => {
      user = name
      doc.transact(edit)
      return Y.encodeStateAsUpdate(doc)
    }
    const was = as('Ada', () => text.insert(0, 'one two three'))
    as('Bob', () => text.delete(4, 4))
    as('Cleo', () => text.insert(4, 'and '))
    const is = as('Dan', () => text.format(0, 3, { bold: true }))
    const job = {
      isRefused: () => false,
      exact: new Set<number>(),
      known: { vector: new Map(), deletes: new ClockRuns() }
    }
    const by = attributionsOf([seal({ ...job, records }).segment as Segment])
    const told = (pieces: readonly Piece[] = []) =>
      pieces.map(({ change, by, text }) => [change, by?.author?.user, text])
    expect(told(differing({ was, is, by }).text?.pieces)).toEqual([
      ['formatted', 'Dan', 'one'],
      ['kept', 'Ada', ' '],
      ['removed', 'Bob', 'two '],
      ['added', 'Cleo', 'and '],
      ['kept', 'Ada', 'three']
    ])
    expect(told(differing({ was: is, is, by }).text?.pieces)).toEqual([
      ['kept', 'Ada', 'one'],
      ['kept', 'Ada', ' '],
      ['kept', 'Cleo', 'and '],
      ['kept', 'Ada', 'three']
    ])
  })
})
