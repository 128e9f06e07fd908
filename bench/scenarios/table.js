/** All scenarios, in the order they are run and reported. */
import { scenarios as ceiling } from './ceiling.js'
import { scenarios as crash } from './crash.js'
import { scenarios as fanOut } from './fan-out.js'
import { scenarios as joins } from './joins.js'
import { scenarios as presence } from './presence.js'
import { scenarios as rooms } from './rooms.js'
import { scenarios as saturation } from './saturation.js'
import { scenarios as stalls } from './stalls.js'
import { scenarios as start } from './start.js'
import { scenarios as typing } from './typing.js'

export const scenarios = [
  ...fanOut,
  ...saturation,
  ...presence,
  ...joins,
  ...rooms,
  ...start,
  ...typing,
  ...crash,
  ...stalls,
  ...ceiling
]
