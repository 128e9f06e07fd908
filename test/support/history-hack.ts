import { onTestFinished } from 'vitest'
import { defaultLimits as limits } from '../../src/base/limits.ts'
import { Slices } from '../../src/base/slices.ts'
import { systemTime as time } from '../../src/base/time.ts'
import { HistoryQuestioning } from '../../src/documents/history.ts'
import { HistoryChanges } from '../../src/documents/history-changes.ts'
import { HistoryReads } from '../../src/documents/history-reads.ts'
import { HistoryViews } from '../../src/documents/history-views.ts'
import { Restores } from '../../src/documents/restores.ts'
import { KeptHistories } from '../../src/history/kept.ts'
import { HistoryWorkers } from '../../src/history/workers.ts'
import type { Running } from '../../src/running.ts'
import type { Server } from '../../src/server.ts'

const known = new Map<Running, any>()
export function history(server: Server, document: string): any {
  const running = (server as any).insideForTests as Running
  let made = known.get(running)
  if (!made) {
    const { store, rooms } = running
    const slices = new Slices(time, limits)
    const workers = new HistoryWorkers(limits)
    onTestFinished(() => workers.close())
    const histories = new KeptHistories({ store: store.history!, random: Math.random, limits })
    const work = {
      keyframe: ({ document, updates }: any) =>
        workers.ask('firstKeyframe' as any, { document, job: async () => ({ updates }) as any })
    } as any
    const views = new HistoryViews({
      store,
      kept: histories,
      work,
      policyOf: () => ({ days: 30, bytes: null, gc: 'collect' }),
      slices,
      limits
    })
    const reads = new HistoryReads({ views, workers })
    const restores = new Restores({
      rooms,
      store,
      history: store.history!,
      begin: d => views.kept(d),
      histories,
      slices,
      time,
      limits,
      random: Math.random
    })
    const changes = new HistoryChanges({ restores, reads, views, kept: histories, time, limits })
    const questions = new HistoryQuestioning({ reads, views, limits })
    made = { questions, changes }
    known.set(running, made)
  }
  const { questions, changes } = made
  return {
    ...questions.of(document),
    restore: (m: any, o: any) => changes.restore(document, m, o),
    undo: (m: any, o: any) => changes.undo(document, m, o),
    name: (m: any, o: any) => changes.name(document, m, o)
  }
}
