/**
 * The one Chorus server of this process. Next evaluates this module once for each of its bundles, and again whenever it
 * changes in development: what has to be one lives on `globalThis`.
 */
import { createServer } from 'y-chorus'

globalThis.chorus ??= createServer({ data: process.env.DATA ?? './chorus-data', path: '/collab' })

export const chorus = globalThis.chorus
