/**
 * Options that are checked where they come in: a kind for each, in words, and a TypeError that names the option. It knows
 * how options are described, and none of them but the limits, which several parts take.
 */
import { z } from 'zod'
import { defaultLimits, type LimitName, type Limits } from './limits.ts'

/** What an option may be: the check, and under `kind` of its metadata the words for it. */
export type Kind<T> = z.ZodType<T>

/** The options of one call, by name. */
export type Shape = { readonly [name: string]: z.ZodType }

/** The table of these options: the compiler wants one kind for each, and no other. */
export type ShapeOf<Options> = { readonly [name in keyof Required<Options>]: Kind<Required<Options>[name]> }

/** A string that has the form; `kind` says which, as in "must be …". */
export function text(kind = 'a string', form = /^/): z.ZodString {
  const message = `must be ${kind}`
  return z.string(message).regex(form, message).meta({ kind })
}

/** The same of what no message may repeat. */
export function secret(kind: string, form: RegExp): z.ZodString {
  return text(kind, form).meta({ kind, isSecret: true })
}

/** One of some words. */
export function oneOf<const Names extends readonly [string, ...string[]]>(...names: Names) {
  const kind = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`.replace(/^ or /, '')
  return z.enum(names, `must be ${kind}`).meta({ kind })
}

export function flag() {
  return z.boolean('must be true or false').meta({ kind: 'true or false' })
}

/** A number above 0, up to `max`. */
export function above0(max: number) {
  const kind = `a number above 0, at most ${max}`
  return matching<number>(kind, value => typeof value === 'number' && value > 0 && value <= max)
}

/** A whole number within the bounds, both included. */
export function whole(min: number, max: number) {
  const kind = `a whole number from ${min} to ${max}`
  return z
    .custom<number>(value => Number.isInteger(value) && Number(value) >= min && Number(value) <= max, {
      error: `must be ${kind}`
    })
    .meta({ kind })
}

export function listOf<T extends z.ZodType>(kind: string, element: T) {
  return z.array(element, `must be ${kind}`).meta({ kind })
}

/** An object with these members, of which those that are named must be there. */
export function record<T>(
  kind: string,
  members: ShapeOf<T>,
  { required }: { readonly required: readonly (keyof T)[] }
): Kind<T> {
  const named: readonly PropertyKey[] = required
  const optional = Object.entries<z.ZodType>(members).map(([name, schema]) => {
    return [name, named.includes(name) ? schema : schema.optional()] as const
  })
  const message = `must be ${kind}`
  const error = (issue: { readonly code?: string; readonly keys?: readonly string[] }) =>
    issue.code === 'unrecognized_keys'
      ? `has no member "${issue.keys?.join('", "')}"; it ${message}`
      : message
  const checked = z.strictObject(Object.fromEntries(optional), { error }).meta({ kind })
  // The members are those of the type, each of its kind: the compiler has checked it, and loses it on the way.
  return checked as unknown as Kind<T>
}

export function callback<F extends (...call: never[]) => unknown>() {
  const kind = 'a function'
  return z.custom<F>(value => typeof value === 'function', `must be ${kind}`).meta({ kind })
}

/** An object with methods of these names; `kind` says what it is. */
export function having<T>(kind: string, ...methods: readonly string[]) {
  return matching<T>(kind, value => {
    const parts = (value ?? {}) as Readonly<Record<string, unknown>>
    return methods.every(name => typeof parts[name] === 'function')
  })
}

/** Whatever passes the check. */
export function matching<T>(kind: string, isOne: (value: unknown) => boolean) {
  return z.custom<T>(isOne, `must be ${kind}`).meta({ kind })
}

/** Either of two kinds. */
export function either<A extends z.ZodType, B extends z.ZodType>(a: A, b: B) {
  const kind = `${kindOf(a)}, or ${kindOf(b)}`
  return z.union([a, b], `must be ${kind}`).meta({ kind })
}

/** The same of which no message may repeat a string: it may hold a password. */
export function hidden<T extends z.ZodType>(schema: T): T {
  return schema.meta({ ...schema.meta(), isSecret: true })
}

/** What an option may be, in words. */
export function kindOf(schema: z.ZodType): string {
  const { kind } = schema.meta() ?? {}
  return typeof kind === 'string' ? kind : 'anything'
}

const limit = z
  .number('must be a number of at least 0')
  .min(0, 'must be a number of at least 0')
  .meta({ kind: 'a number of at least 0' })

/** The limits, each of which may be left out. */
export const limitsShape = Object.fromEntries(
  (Object.keys(defaultLimits) as LimitName[]).map(name => [name, limit])
) as Record<LimitName, typeof limit>

export const limitsOption = matching<Partial<Limits>>('an object of limits', isObject)

/**
 * Throws TypeError when `given` is no object, has a member that `shape` has not, or one of another kind; `undefined` is no
 * kind. `call` is whose options they are, as in the message. A member `limits` is checked one by one.
 */
export function checkOptions(call: string, given: object | undefined, shape: Shape): void {
  if (given === undefined) return
  if (!isObject(given)) throw new TypeError(`${call} takes an object of options, not ${shown(given)}`)
  checkMembers(call, given, { shape, unknown: `${call} has no option`, path: '' })
}

type Members = {
  readonly shape: Shape
  /** What is said before the name of one that `shape` has not. */
  readonly unknown: string
  /** What is said before the name of any other, as in `limits.`. */
  readonly path: string
}

function checkMembers(call: string, given: object, { shape, unknown, path }: Members): void {
  for (const [name, value] of Object.entries(given)) {
    const schema = Object.hasOwn(shape, name) ? shape[name] : undefined
    if (schema === undefined) throw new TypeError(`${unknown} "${name}"${suggestion(name, shape)}`)
    const problem = schema.safeParse(value).error?.issues[0]
    if (problem !== undefined) {
      const isHidden = schema.meta()?.isSecret === true && typeof value === 'string'
      const place = path + [name, ...problem.path].join('.')
      throw new TypeError(
        `${call}: ${place} ${problem.message}, not ${isHidden ? 'what it is' : shown(value)}`
      )
    }
    if (schema !== limitsOption) continue
    checkMembers(call, value as object, {
      shape: limitsShape,
      unknown: `${call}: limits has no`,
      path: 'limits.'
    })
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (typeof value === 'symbol') return 'a symbol'
  if (Array.isArray(value)) return 'that list'
  return typeof value === 'function' ? 'a function' : 'that object'
}

function suggestion(name: string, shape: Shape): string {
  const plain = (each: string) => each.toLowerCase().replaceAll(/[^a-z]/g, '')
  const known = Object.keys(shape)
  const near = known.find(each => plain(each) === plain(name)) ?? known.find(each => differ(each, name) <= 2)
  return near === undefined ? '' : `; is it "${near}"?`
}

/** How many letters have to be put in, left out or changed to make one of the other (Levenshtein). */
function differ(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const kept = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(kept, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
