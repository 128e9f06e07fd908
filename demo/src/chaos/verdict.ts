// What the page says about the replicas, and how it is put into words. Only `equal` and `kept` are good news, and both
// are made of one comparison at one moment; the three that are red stay.
import type { Edit } from './ledger.ts'

export type Verdict =
  | { readonly kind: 'starting' }
  /** The bots write. Nothing is claimed. */
  | { readonly kind: 'writing'; readonly waiting: number; readonly good: Good | null }
  /** The bots hold still, and what was written arrives. */
  | { readonly kind: 'settling'; readonly waiting: number; readonly behind: number }
  | {
      readonly kind: 'equal'
      readonly replicas: number
      readonly edits: number
      readonly hash: string
      /** Panes that were switched off by hand are not compared. */
      readonly cutOff: number
    }
  | { readonly kind: 'down' }
  /** Everybody is kept out until a fresh replica has read what the disk has. */
  | { readonly kind: 'examining' }
  | { readonly kind: 'kept'; readonly edits: number; readonly pid: number | null; readonly orphans: number }
  /** The document has as many edits as this page gives one. */
  | { readonly kind: 'full'; readonly edits: number }
  | { readonly kind: 'unreachable' }
  | { readonly kind: 'lost'; readonly edits: readonly Edit[] }
  | { readonly kind: 'differ'; readonly who: readonly string[] }
  | { readonly kind: 'stuck'; readonly who: readonly string[]; readonly what: 'edits' | 'connection' }

/** What was found at the last comparison or examination, and how long ago. */
export type Good = { readonly edits: number; readonly secondsAgo: number }

export type Tone = 'good' | 'calm' | 'busy' | 'bad'

export type Words = { readonly tone: Tone; readonly headline: string; readonly detail: string }

const examplesMax = 4

export function wordsOf(verdict: Verdict): Words {
  switch (verdict.kind) {
    case 'starting':
      return { tone: 'calm', headline: 'Starting', detail: 'A child server starts, and the bots join it.' }
    case 'writing':
      return {
        tone: 'calm',
        headline: 'Catching up',
        detail: `${count(verdict.waiting, 'edit')} on the way. ${goodWords(verdict.good)}`
      }
    case 'settling':
      return {
        tone: 'calm',
        headline: 'Catching up',
        detail:
          verdict.waiting + verdict.behind === 0
            ? 'Comparing all replicas with a fresh one from the server…'
            : `The bots hold still: ${count(verdict.waiting, 'edit')} to be saved, ${count(verdict.behind, 'replica')} behind.`
      }
    case 'equal':
      return { tone: 'good', headline: 'All replicas equal · nothing lost', detail: equalWords(verdict) }
    case 'down':
      return {
        tone: 'busy',
        headline: 'The server is dead',
        detail: 'SIGKILL: nothing was flushed, nobody was told. The bots go on writing, without a connection.'
      }
    case 'examining':
      return {
        tone: 'busy',
        headline: 'Reading what is on the disk',
        detail:
          'Everybody waits outside while a fresh replica loads the document from the restarted server alone.'
      }
    case 'kept':
      return {
        tone: 'good',
        headline: 'Killed, restarted · nothing lost',
        detail:
          `All ${count(verdict.edits, 'promised edit')} came back from the disk of process ${verdict.pid ?? '?'} alone.` +
          (verdict.orphans === 0
            ? ''
            : ` ${count(verdict.orphans, 'edit')} nobody had been promised went with the tabs that crashed.`)
      }
    case 'full':
      return {
        tone: 'good',
        headline: 'All replicas equal · nothing lost',
        detail: `With ${count(verdict.edits, 'edit')} this document has enough, and the bots rest. Start over for a new one.`
      }
    case 'unreachable':
      return {
        tone: 'busy',
        headline: 'The server of this page does not answer',
        detail: 'Nothing can be checked without it. This page keeps trying.'
      }
    case 'lost':
      return {
        tone: 'bad',
        headline: `Lost ${count(verdict.edits.length, 'edit')}`,
        detail: `The restarted server does not have what was promised: ${examples(verdict.edits.map(lostWords))}.`
      }
    case 'differ':
      return {
        tone: 'bad',
        headline: 'Replicas differ',
        detail: `Nothing is on the way any more, and these are not equal to the server: ${examples(verdict.who)}.`
      }
    case 'stuck':
      return {
        tone: 'bad',
        headline: verdict.what === 'edits' ? 'Edits do not arrive' : 'Bots do not get back',
        detail:
          verdict.what === 'edits'
            ? `All are connected, nothing moves any more, and these have not got everything: ${examples(verdict.who)}.`
            : `These have been without a connection for too long: ${examples(verdict.who)}.`
      }
    default:
      return verdict satisfies never
  }
}

/** What stays as it is said first: the run has failed. */
export function isFailure({ kind }: Verdict): boolean {
  return kind === 'lost' || kind === 'differ' || kind === 'stuck'
}

export function count(number: number, noun: string): string {
  return `${number.toLocaleString('en-US')} ${number === 1 ? noun : `${noun}s`}`
}

function goodWords(good: Good | null): string {
  if (good === null) return 'In a moment everybody holds still, and all replicas are compared.'
  const when = good.secondsAgo < 1 ? 'A moment ago' : `${count(good.secondsAgo, 'second')} ago`
  return `${when} all replicas were equal, with ${count(good.edits, 'edit')} and none lost.`
}

function equalWords({ replicas, edits, hash, cutOff }: Verdict & { kind: 'equal' }): string {
  const left =
    cutOff === 0 ? '' : ` ${count(cutOff, 'pane')} that you cut off ${cutOff === 1 ? 'is' : 'are'} left out.`
  return `${count(replicas, 'replica')}, one of them fresh from the server, have fingerprint ${hash}, with ${count(edits, 'edit')} in it.${left}`
}

function lostWords({ id, author, promise }: Edit): string {
  return promise === 'seen' ? `${id} (others had seen it)` : `${id} (${author} had been told “saved”)`
}

function examples(names: readonly string[]): string {
  const rest = names.length - examplesMax
  return `${names.slice(0, examplesMax).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
