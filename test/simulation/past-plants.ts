/** Bugs of histories, put in from outside, to see that the simulation finds them. */
import type { HistoryRequest, HistoryStore } from '../../persistence/history.ts'
import { decodeRecord, encodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import type { MomentMessage } from '../../src/history/jobs.ts'
import { decodeKnown, encodeKnown } from '../../src/history/known.ts'
import { decodeManifest, encodeManifest, type Manifest } from '../../src/history/manifest.ts'
import type { Moment } from '../../src/history/moment.ts'
import { Commits } from '../../src/room/commits.ts'
import type { Plant } from './plants.ts'

export const pastPlants = {
  'records are released before what they are sealed in is there': {
    history: history =>
      writing(history, async request => {
        const before = await history.read(request.document)
        if (before === null || before.generation !== request.base || request.releasedTo === before.releasedTo)
          return history.write(request)
        // What goes now is in no segment yet: a crash in between, and it is nowhere.
        const released = { ...request, manifest: before.manifest, blobs: [], drops: [] }
        const result = await history.write(released)
        return result.outcome === 'written' ? history.write({ ...request, base: result.generation }) : result
      })
  },
  'records are sealed twice': {
    history: history => {
      let writes = 0
      return writing(history, async request => {
        const before = await history.read(request.document)
        if (++writes % 3 !== 0 || before === null || before.generation !== request.base)
          return history.write(request)
        // The segment is kept, and that it was sealed is not.
        const { sealedTo, known, waiting, refused } = decodeManifest(before.manifest)
        const { releasedTo, pins } = before
        const kept = changed(request, manifest => ({ ...manifest, sealedTo, known, waiting, refused }))
        const drops = request.drops.filter(number => number !== known?.blob)
        return history.write({ ...kept, drops, releasedTo, pins })
      })
    }
  },
  'what waits is forgotten': {
    sealing: sealing => ({
      ...sealing,
      seal: async job => {
        const sealed = await sealing.seal(job)
        // Who sends it again is told that it is there: nobody waits for it any more, and nobody seals it.
        const known = decodeKnown(sealed.known)
        const vector = new Map(known.vector)
        for (const { sequence, index } of sealed.waiting) {
          const record = job.records.find(each => each.sequence === sequence)?.record
          const update = record === undefined ? undefined : decodeRecord(record)[index]?.update
          const { structs } = scanUpdate(update ?? Uint8Array.of(0, 0))
          for (const { client, clock, length } of structs)
            vector.set(client, Math.max(vector.get(client) ?? 0, clock + length))
        }
        return { ...sealed, known: encodeKnown({ ...known, vector }), waiting: [] }
      }
    })
  },
  'a keyframe is of another moment': {
    history: history =>
      writing(history, request =>
        history.write(
          changed(request, manifest => ({
            ...manifest,
            keyframes: manifest.keyframes.map((each, i) =>
              i === manifest.keyframes.length - 1 && each.sequence > manifest.beginsAt.sequence + 2
                ? { ...each, sequence: each.sequence - 1 }
                : each
            )
          }))
        )
      )
  },
  'a segment is lost when small ones are merged': {
    history: history =>
      writing(history, request =>
        history.write(
          changed(request, manifest => {
            const { segments } = manifest
            const [one, two] = segments.slice(-2)
            // The one before goes as well, as if it had been merged into the last.
            if (one === undefined || two === undefined || segments.length % 4 !== 3) return manifest
            return { ...manifest, segments: [...segments.slice(0, -2), two] }
          })
        )
      )
  },
  'a key is forgotten': {
    history: history =>
      writing(history, request =>
        history.write(
          changed(request, manifest => ({ ...manifest, restores: manifest.restores.slice(0, -1) }))
        )
      )
  },
  'a version stays when what it is of was pruned': {
    history: history =>
      writing(history, async request => {
        const before = await history.read(request.document)
        const versions = before === null ? [] : decodeManifest(before.manifest).versions
        return history.write(
          changed(request, manifest => {
            const isGone = ({ sequence }: { sequence: number }) => sequence < manifest.beginsAt.sequence
            return { ...manifest, versions: [...versions.filter(isGone), ...manifest.versions] }
          })
        )
      })
  },
  'a version gets another moment': {
    history: history =>
      writing(history, request =>
        history.write(
          changed(request, manifest => ({
            ...manifest,
            versions: manifest.versions.map(each =>
              each.kind === 'named' && each.sequence > manifest.beginsAt.sequence
                ? { ...each, sequence: each.sequence - 1 }
                : each
            )
          }))
        )
      )
  },
  'a restore is answered before it is written': {
    patch: () => {
      const { restore } = Commits.prototype
      Commits.prototype.restore = async function (...call) {
        restore.apply(this, call).catch(() => {})
        return this.shownSequence + 1
      }
      return () => {
        Commits.prototype.restore = restore
      }
    }
  },
  'a restore is written whoever has restored meanwhile': {
    patch: () => {
      const { restore } = Commits.prototype
      Commits.prototype.restore = function (judged, source) {
        return restore.call(this, judged, { ...source, seen: this.restores })
      }
      return () => {
        Commits.prototype.restore = restore
      }
    },
    database: database => {
      const { append } = database
      database.append = batch => {
        const entries = batch.entries.map(({ ifHead: _, ...entry }) => entry)
        return append.call(database, { ...batch, entries })
      }
    }
  },
  'an undo stops half way': {
    asking: asking => ({
      ...asking,
      ask: (type, question) =>
        asking.ask(type, {
          ...question,
          job: async () => {
            const job = await question.job()
            return 'upTo' in job ? { ...job, upTo: halfWay(job.upTo, job.after) } : job
          }
        })
    })
  },
  'whoever wrote last has written it all': {
    history: history => ({
      ...boundTo(history),
      unreleased: async (document, incarnation, sequence, limits) => {
        const page = await history.unreleased(document, incarnation, sequence, limits)
        if (page.outcome === 'gone') return page
        return { ...page, records: page.records.map(each => ({ ...each, record: ofOneAuthor(each.record) })) }
      }
    })
  }
} as const satisfies Record<string, Plant>

/** Those that one server alone cannot have. */
export const ofSeveralNodes: ReadonlySet<string> = new Set<PastPlantName>([
  'a restore is written whoever has restored meanwhile'
])

export type PastPlantName = keyof typeof pastPlants

function halfWay(upTo: MomentMessage, after: Moment): MomentMessage {
  if (!('sequence' in upTo.moment && 'sequence' in after)) return upTo
  return { ...upTo, moment: { sequence: Math.floor((after.sequence + upTo.moment.sequence) / 2) } }
}

function ofOneAuthor(record: Uint8Array): Uint8Array {
  const updates = decodeRecord(record)
  const author = updates.at(-1)?.author ?? null
  return encodeRecord(updates.map(each => ({ ...each, author })))
}

function writing(history: HistoryStore, write: HistoryStore['write']): HistoryStore {
  return { ...boundTo(history), write }
}

function changed(request: HistoryRequest, change: (manifest: Manifest) => Manifest): HistoryRequest {
  return { ...request, manifest: encodeManifest(change(decodeManifest(request.manifest))) }
}

/** The calls as own members, so that some can be replaced. */
function boundTo(history: HistoryStore): HistoryStore {
  return {
    read: document => history.read(document),
    write: request => history.write(request),
    blobs: (document, incarnation, numbers) => history.blobs(document, incarnation, numbers),
    unreleased: (document, incarnation, sequence, limits) =>
      history.unreleased(document, incarnation, sequence, limits),
    drop: (document, incarnation) => history.drop(document, incarnation),
    list: options => history.list(options)
  }
}
