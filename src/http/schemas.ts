/** What requests and answers of several routes have in common, as schemas with sentences for people. */
import { z } from 'zod'

/** In the path. Which names may be is the rooms' to say. */
export const document = z.string().meta({
  description: 'The name of the document, in encodeURIComponent. A slash in it may also be written as it is.',
  example: 'team/notes'
})

export const fault = z.object({
  error: z.string().meta({ description: 'What it is, for programs: one of the codes named at each status.' }),
  message: z.string().meta({ description: 'What it is, for people.' })
})

export const time = z.iso.datetime().meta({ description: 'ISO 8601.', example: '2026-11-30T10:00:00Z' })

export const timeMs = z.number().meta({ description: 'Milliseconds since 1970.' })

/** Text with at least one character. */
export function words(description: string, example?: string) {
  return z
    .string('must be a text')
    .min(1, 'must not be empty')
    .meta({ description, ...(example === undefined ? {} : { example }) })
}

export function count(description: string) {
  return z.int().min(0).meta({ description })
}

/** A whole number in a query, where all is text. */
export function wholeNumber({ max, description }: { readonly max: number; readonly description: string }) {
  const message = `must be a whole number from 1 to ${max}`
  return z
    .string()
    .regex(/^[1-9]\d{0,15}$/, message)
    .refine(text => Number(text) <= max, message)
    .transform(Number)
    .optional()
    .meta({ description: `${description} From 1 to ${max}.`, example: '100' })
}

/** Anything that JSON has. */
export const anyJson = z.unknown().meta({ description: 'Any JSON.' })
