// What a new room begins with: a short text with a past, which two bots write while the visitor looks on. A past cannot
// be made up, so they really type, over connections of their own.
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import type { Participant } from '../participant.ts'
import { type Person, personColors } from '../person.ts'
import { inventedPrefix, type RoomAddress } from '../room.ts'
import { isUntouchedType } from '../seed.ts'
import { createSignal } from '../signal.ts'
import { signEdits, textOf } from './model.ts'

type Step =
  | { readonly by: 0 | 1; readonly write: string; readonly after?: string }
  | { readonly by: 0 | 1; readonly remove: string }
  | { readonly name: string }

const script: readonly Step[] = [
  { by: 0, write: 'Summer party\n\nWe meet on Friday at six, in the garden.\n' },
  { by: 1, write: 'Everybody brings a salad. Music: the neighbours’ band.\n' },
  { name: 'First draft' },
  { by: 0, remove: 'Everybody brings a salad. ' },
  { by: 0, write: 'The kitchen makes pizza. ', after: 'garden.\n' },
  { by: 1, write: ' If it rains, in the hall.', after: 'in the garden.' }
]

const characterMs = 38
const thoughtMs = 500
/** Two visitors who open an empty room at the same moment see each other within this. */
const courtesyMs = 500

export const botNames = ['Bot Ida', 'Bot Otto'] as const

export type Stage = {
  begun(): void
  /** Gives the newest moment a name. */
  name(name: string): Promise<void>
}

/** `taken`: colours that the bots must not have. Resolves when they have left; false: there was nothing to do. */
export async function writeStarter(
  visitor: Participant,
  room: RoomAddress,
  { taken, stage }: { readonly taken: readonly string[]; readonly stage: Stage }
): Promise<boolean> {
  if (!room.name.startsWith(inventedPrefix)) return false
  await online(visitor)
  if (!isUntouchedType(textOf(visitor.doc)) || !(await isOurs(visitor))) return false
  stage.begun()
  const bots = freeColors(taken).map((color, index) => joinBot(room, { name: botNames[index] ?? '', color }))
  try {
    for (const step of script) await play(step, bots, stage)
  } finally {
    for (const bot of bots) bot.leave()
    visitor.provider.awareness.setLocalStateField('starter', null)
  }
  return true
}

function online({ connection }: Pick<Participant, 'connection'>): Promise<void> {
  return new Promise(resolve => {
    let stop = () => {}
    let isOver = false
    stop = connection.watch(({ phase }) => {
      if (phase !== 'online') return
      isOver = true
      resolve()
      stop()
    })
    if (isOver) stop()
  })
}

/** Of several pages that find the room empty, one sends the bots: what they want is in their presence. */
async function isOurs({
  doc,
  provider: { awareness }
}: Pick<Participant, 'doc' | 'provider'>): Promise<boolean> {
  awareness.setLocalStateField('starter', 'wants')
  await wait(courtesyMs)
  const isTaken = [...awareness.getStates()].some(
    ([clientID, { starter }]) => starter === 'writes' || (starter === 'wants' && clientID < doc.clientID)
  )
  const isOurs = !isTaken && isUntouchedType(textOf(doc))
  awareness.setLocalStateField('starter', isOurs ? 'writes' : null)
  return isOurs
}

/** Two that nobody here has. */
function freeColors(taken: readonly string[]): string[] {
  const free = personColors.map(({ color }) => color).filter(color => !taken.includes(color))
  return free.slice(0, botNames.length)
}

type Bot = { readonly doc: Y.Doc; readonly synced: Promise<void>; point(index: number): void; leave(): void }

function joinBot({ serverUrl, path }: RoomAddress, person: Person): Bot {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(serverUrl, path, doc, { disableBc: true })
  const { awareness } = provider
  awareness.setLocalStateField('user', { ...person, colorLight: `${person.color}33` })
  const connection = createSignal({ phase: 'online' })
  signEdits({ doc, connection, person: createSignal(person) })
  return {
    doc,
    synced: new Promise(resolve => provider.once('sync', () => resolve())),
    point(index) {
      const place = Y.createRelativePositionFromTypeIndex(textOf(doc), index)
      awareness.setLocalStateField('cursor', { anchor: place, head: place })
    },
    leave() {
      provider.destroy()
      doc.destroy()
    }
  }
}

async function play(step: Step, bots: readonly Bot[], stage: Stage): Promise<void> {
  if ('name' in step) {
    await wait(thoughtMs)
    await stage.name(step.name)
    return
  }
  const bot = bots[step.by]
  if (bot === undefined) return
  await bot.synced
  await wait(thoughtMs)
  if ('write' in step) await type(bot, step.write, step.after)
  else await erase(bot, step.remove)
}

/** Anchored to what stands before, as a cursor is: the visitor may be writing, too. */
async function type(bot: Bot, words: string, after: string | undefined): Promise<void> {
  const text = textOf(bot.doc)
  const found = after === undefined ? -1 : text.toString().indexOf(after)
  let index = found === -1 ? text.length : found + (after?.length ?? 0)
  for (const part of words.match(/.{1,2}/gsu) ?? []) {
    const anchor = Y.createRelativePositionFromTypeIndex(text, index, -1)
    await wait(characterMs * part.length)
    const at = Y.createAbsolutePositionFromRelativePosition(anchor, bot.doc)?.index ?? text.length
    text.insert(at, part)
    index = at + part.length
    bot.point(index)
  }
}

async function erase(bot: Bot, words: string): Promise<void> {
  const text = textOf(bot.doc)
  for (let left = words.length; left > 0; left -= 3) {
    await wait(characterMs * 2)
    const at = text.toString().indexOf(words.slice(0, left))
    if (at === -1) return
    const count = Math.min(3, left)
    text.delete(at + left - count, count)
    bot.point(at + left - count)
  }
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
