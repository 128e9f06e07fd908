/** What is asked and answered about a document's past, as schemas. */
import { z } from 'zod'
import { anyJson, count, timeMs, words } from './schemas.ts'

const moment = 'A time (ISO 8601, or milliseconds since 1970), `sequence:<number>` or `version:<id>`.'

/** In a query: one of the three. */
export const momentFields = {
  time: z.string().optional().meta({ description: 'ISO 8601, or milliseconds since 1970.' }),
  sequence: z.string().optional().meta({ description: 'The number of a record.', example: '12' }),
  version: z.string().optional().meta({ description: 'The id of a version.' })
}

export const rootsField = z.string().optional().meta({
  description:
    'Names of root types, separated by commas; a comma in a name is %2C within the value. Without it: all.',
  example: 'body,title'
})

export const typesField = z.string().optional().meta({
  description: 'Root types and what they are: `text`, `array`, `map` or `xml`. A text comes as its delta.',
  example: 'body:text,meta:map'
})

export const from = z.string().optional().meta({ description: moment, example: 'sequence:12' })
export const to = z
  .string()
  .optional()
  .meta({ description: `${moment} Without it: now.` })

/** In a body: one of the three. */
export const momentBody = {
  time: z.union([z.string(), z.number()]).optional(),
  sequence: z.union([z.string(), z.number()]).optional(),
  version: z.string().optional().meta({ description: 'The id of a version.' })
}

export const rootsBody = z
  .array(z.string(), 'must be a list of names')
  .min(1)
  .max(100)
  .optional()
  .meta({ description: 'Names of root types: the others stay as they are.' })

export const authorBody = words(
  'In whose name, if the operator asks. A person does it in their own.'
).optional()

export const version = z
  .object({
    id: z.string(),
    name: z.string(),
    kind: z.enum(['named', 'before-restore', 'before-agent']),
    sequence: count('Its record.'),
    timeMs,
    madeMs: timeMs,
    author: z.string().nullable()
  })
  .meta({ description: 'A moment with a name.' })

const begins = z
  .object({ sequence: count('Of the record.'), timeMs })
  .meta({ description: 'Moments before are not known.' })

export const extent = z.object({
  beginsAt: begins,
  head: count('The last record of the document.'),
  lastMs: timeMs.nullable(),
  bytes: count('What the store keeps for it.'),
  holes: z.array(
    z.object({
      afterSequence: z.number(),
      toSequence: z.number(),
      timeMs,
      reason: z.string()
    })
  ),
  versions: z.array(version)
})

const author = z
  .object({ user: z.string().nullable(), connection: z.string().nullable(), origin: z.string() })
  .nullable()

export const activity = z.object({
  bursts: z.array(
    z.object({
      author,
      fromMs: timeMs,
      toMs: timeMs,
      firstSequence: z.number(),
      lastSequence: z.number(),
      changes: z.number(),
      inserted: z.number(),
      deleted: z.number()
    })
  ),
  isComplete: z.boolean().meta({ description: 'No burst was left out.' })
})

export const contents = z
  .record(z.string(), anyJson)
  .meta({ description: 'The root types that were asked for, by their names.' })

export const differences = z.object({
  reasons: z
    .array(z.object({ author, timeMs, sequence: z.number() }))
    .meta({ description: '`by` of a piece is a place in this list, counted from 1; 0: it is not known.' }),
  types: z.record(z.string(), anyJson).meta({ description: 'Root types, each with its pieces and entries.' })
})

export const restored = z.object({
  key: z.string().meta({ description: 'Asked again with it, it is done once.' }),
  isChanged: z.boolean(),
  sequence: count('The last record that it is part of.'),
  version: z.string().nullable().meta({ description: 'The version that was named before it.' })
})

export const pruned = z.object({ beginsAt: begins, bytes: count('How many went.') })
