// What bots are called. Names are unique within a run: an edit's id begins with its author's.
import { type Person, personColors } from '../person.ts'
import type { Bot } from './bot.ts'

const names = [
  ...['Ada', 'Bo', 'Cleo', 'Dag', 'Eda', 'Finn', 'Gil', 'Hana', 'Ivo', 'Juno', 'Kai', 'Lia', 'Milo'],
  ...['Nell', 'Odo', 'Pia', 'Quin', 'Rae', 'Sol', 'Tess', 'Uma', 'Vito', 'Wyn', 'Xena', 'Yuri', 'Zoe']
]

/** Every third one speaks the other dialect. */
export function inventBot(number: number): { person: Person; dialect: Bot['dialect'] } {
  const round = Math.floor(number / names.length)
  const name = `${names[number % names.length] ?? 'Bot'}${round === 0 ? '' : round + 1}`
  const { color } = personColors[number % personColors.length] ?? personColors[0]
  return { person: { name, color }, dialect: number % 3 === 2 ? 'Hocuspocus' : 'y-websocket' }
}
