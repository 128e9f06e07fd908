/** All scenarios, in the order they are run and reported. */
import { scenarios as fanOut } from './fan-out.js'
import { scenarios as presence } from './presence.js'
import { scenarios as rooms } from './rooms.js'
import { scenarios as typing } from './typing.js'

export const scenarios = [...fanOut, ...presence, ...rooms, ...typing]
