// What bots are called: as nobody at a pane is by default. Names are unique within a run.
import { type Person, personColors } from '../person.ts'
import type { Bot } from './bot.ts'

const names = [
  ...['Abe', 'Bo', 'Cleo', 'Dag', 'Eda', 'Finn', 'Gil', 'Hana', 'Ivo', 'Juno', 'Kai', 'Lia', 'Milo'],
  ...['Nell', 'Odo', 'Pia', 'Quin', 'Rae', 'Sol', 'Tess', 'Uma', 'Vito', 'Wyn', 'Xena', 'Yuri', 'Zoe']
]

/** Every third one speaks the other dialect. */
export function inventBot(number: number): { person: Person; dialect: Bot['dialect'] } {
  const round = Math.floor(number / names.length)
  const name = `${names[number % names.length] ?? 'Bot'}${round === 0 ? '' : round + 1}`
  const { color } = personColors[number % personColors.length] ?? personColors[0]
  return { person: { name, color }, dialect: number % 3 === 2 ? 'Hocuspocus' : 'y-websocket' }
}
