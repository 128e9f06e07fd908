/** The program of the threads that read documents for agents and compute edits. It keeps nothing between jobs. */
import * as Y from 'yjs'
import { markOf } from '../document/client-mark.ts'
import { asJson } from '../document/contents.ts'
import type { ClockPoint } from '../document/scan.ts'
import { mergeUpdates } from '../document/splice.ts'
import { answerJobs } from '../document/worker-thread.ts'
import { dataSteps } from './data-edit.ts'
import { EditEnds } from './edit-result.ts'
import { Guarding } from './guarding.ts'
import type { EditAnswer, EditedMessage, EditJob, EditJobs, EditMessage, EditStep } from './jobs.ts'
import { readDocument } from './reading.ts'
import { State } from './state.ts'
import { textSteps } from './text-edit.ts'

answerJobs<EditJob, EditAnswer>({ run, bytesOf })

function run(message: EditJob): EditAnswer {
  switch (message.type) {
    case 'read':
      return { type: 'read', result: read(message.job) }
    case 'edit':
      return { type: 'edit', result: edited(message.job) }
    default:
      return message satisfies never
  }
}

function read({ state, question, answerBytesMax }: EditJobs['read']['job']): Uint8Array | null {
  const answer = readDocument(new State(state).doc, question)
  return answer === null ? null : asJson(answer, answerBytesMax)
}

function edited(job: EditMessage): EditedMessage {
  const { client, knownAbove } = job
  const state = new State(job.state)
  const isThere = () => Y.getState(state.doc.store, client)
  const before = isThere()
  if (knownAbove !== null && before > knownAbove) return { outcome: 'known' }
  state.doc.clientID = client
  const guarding = new Guarding()
  try {
    const steps = stepsOf(state, job, guarding)
    const isMarked = isThere() > before || (steps.length === 0 && !job.isKeyed)
    return {
      outcome: 'edited',
      steps: isMarked ? steps : marked(steps, { client, clock: before }),
      guard: guarding.message()
    }
  } catch (error) {
    if (error instanceof EditEnds) return error.ending
    throw error
  }
}

function stepsOf(
  state: State,
  { question, wordsAtOnce, passageMax }: EditMessage,
  guarding: Guarding
): EditStep[] {
  if (question.kind === 'data') return dataSteps(state, question.changes, guarding)
  return textSteps(state, { ...question, wordsAtOnce, passageMax }, guarding)
}

/** That its client has come so far says that the edit was made, also where it brings nothing. */
function marked([first, ...rest]: readonly EditStep[], point: ClockPoint): EditStep[] {
  const mark = markOf(point)
  if (first === undefined) return [{ update: mark, cursor: null, last: null }]
  return [{ ...first, update: mergeUpdates([first.update, mark]) }, ...rest]
}

function bytesOf(answer: EditAnswer): readonly Uint8Array[] {
  if (answer.type === 'read') return answer.result === null ? [] : [answer.result]
  return []
}
