/**
 * The program of the thread in which documents are held for those who watch them: what an update changes is told as JSON. It
 * keeps a document for each view between jobs; a view that it does not know has to be opened again.
 */
import * as Y from 'yjs'
import { Fault } from '../base/errors.ts'
import { encoded, jsonText, type RootKind, rootsOf } from '../document/contents.ts'
import { type PackedUpdates, unpackUpdates } from '../document/packed-updates.ts'
import { answerJobs } from '../document/worker-thread.ts'

export type ViewTypes = Readonly<Record<string, RootKind>>

/** `view`: a number that names it. Everything but `open` is about one that was opened. */
export type ViewJob =
  | {
      readonly type: 'open'
      readonly view: number
      readonly types: ViewTypes
      readonly updates: PackedUpdates
    }
  | { readonly type: 'apply'; readonly view: number; readonly updates: PackedUpdates }
  | { readonly type: 'contents'; readonly view: number; readonly bytesMax: number }
  | { readonly type: 'close'; readonly view: number }

/** UTF-8 JSON: for `apply` what has changed, for `contents` all; null: nothing. */
export type ViewAnswer = Uint8Array | null

type Held = { readonly doc: Y.Doc; readonly types: ViewTypes; changes: unknown[] }

const held = new Map<number, Held>()

answerJobs<ViewJob, ViewAnswer>({ run, bytesOf: answer => (answer === null ? [] : [answer]) })

function run(job: ViewJob): ViewAnswer {
  switch (job.type) {
    case 'open':
      return open(job)
    case 'apply':
      return apply(heldAs(job.view), unpackUpdates(job.updates))
    case 'contents': {
      const { doc, types } = heldAs(job.view)
      return encoded(jsonText(rootsOf(doc, types)), job.bytesMax)
    }
    case 'close':
      held.get(job.view)?.doc.destroy()
      held.delete(job.view)
      return null
    default:
      return job satisfies never
  }
}

function heldAs(view: number): Held {
  const found = held.get(view)
  if (found === undefined) throw new Fault('ERR_ROOM_RESTARTS', 'the thread has lost the view')
  return found
}

function open({ view, types, updates }: ViewJob & { type: 'open' }): null {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const update of unpackUpdates(updates)) Y.applyUpdate(doc, update)
  })
  const opened: Held = { doc, types, changes: [] }
  for (const [name, kind] of Object.entries(types)) watch(opened, name, kind)
  held.set(view, opened)
  return null
}

/** All in one transaction: readers are told of the whole. */
function apply(view: Held, updates: readonly Uint8Array[]): ViewAnswer {
  view.changes = []
  view.doc.transact(() => {
    for (const update of updates) Y.applyUpdate(view.doc, update)
  })
  const { changes } = view
  return changes.length === 0 ? null : encoded(jsonText({ changes }), Number.POSITIVE_INFINITY)
}

function watch(view: Held, name: string, kind: RootKind): void {
  const root = rootOf(view.doc, name, kind)
  root.observeDeep(events => {
    // Pieces of XML mean nothing to who has no Yjs: its text is told anew.
    if (kind === 'xml') view.changes.push({ type: name, value: String(root) })
    else for (const event of events) view.changes.push(changeOf(name, event))
  })
}

function rootOf(doc: Y.Doc, name: string, kind: RootKind) {
  switch (kind) {
    case 'text':
      return doc.getText(name)
    case 'array':
      return doc.getArray(name)
    case 'map':
      return doc.getMap(name)
    case 'xml':
      return doc.getXmlFragment(name)
    default:
      return kind satisfies never
  }
}

/** `path`: to the type within the root that has changed. `delta`: of a text or list; `keys`: of a map. */
function changeOf(name: string, event: Y.YEvent<Y.AbstractType<unknown>>): unknown {
  const place = { type: name, path: event.path }
  if (!(event.target instanceof Y.Map)) return { ...place, delta: event.delta }
  const keys: Record<string, unknown> = {}
  for (const [key, { action }] of event.keys) {
    keys[key] = action === 'delete' ? { deleted: true } : { value: event.target.get(key) }
  }
  return { ...place, keys }
}
