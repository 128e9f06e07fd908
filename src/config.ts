/**
 * Every setting in one table: its flag, its environment variable, its default, what it does. The command line, the
 * help text and docs/operating.md come from here.
 */
import { z } from 'zod'
import { defaultLimits, type LimitName, type Limits } from './limits.ts'
import { logLevels } from './log.ts'

const limitNames = Object.keys(defaultLimits) as [LimitName, ...LimitName[]]

const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine(value => value <= max, `must be at most ${max}`)

const limitPair = z
  .string()
  .regex(/^[A-Za-z]+=\d+$/, 'must be name=number')
  .transform(pair => pair.split('=') as [string, string])
  .refine(([name]) => limitNames.includes(name as LimitName), {
    error: issue => `has no limit named ${String((issue.input as [string, string])[0])}`
  })
  .transform(([name, value]): Partial<Limits> => ({ [name]: Number(value) }))

/** `env` beside CHORUS_*: what @y/websocket-server reads, so that this drops in where that ran. */
export const settings = {
  host: {
    schema: z.string().min(1, 'must not be empty'),
    fallback: '127.0.0.1',
    env: 'HOST',
    value: 'address',
    help: 'address to listen on; 0.0.0.0 for all'
  },
  port: {
    schema: wholeNumber(65_535),
    fallback: '1234',
    env: 'PORT',
    value: 'number',
    help: 'port to listen on; 0 picks a free one'
  },
  data: {
    schema: z.string().min(1, 'must not be empty'),
    fallback: './chorus-data',
    env: 'YPERSISTENCE',
    value: 'directory',
    help: 'where documents are kept; :memory: keeps nothing'
  },
  durability: {
    schema: z.enum(['sync', 'relaxed'], 'must be sync or relaxed'),
    fallback: 'sync',
    env: null,
    value: 'sync|relaxed',
    help: 'sync: on disk before anyone sees it; relaxed: a power cut may lose the last second'
  },
  path: {
    schema: z.string().regex(/^\/([^?#\s]*[^/?#\s])?$/, 'must begin with / and not end with one'),
    fallback: '/',
    env: null,
    value: 'prefix',
    help: 'path below which documents and pages are served'
  },
  hocuspocus: {
    schema: z.enum(['any-path', 'root-path', 'off'], 'must be any-path, root-path or off'),
    fallback: 'any-path',
    env: null,
    value: 'any-path|root-path|off',
    help: 'where Hocuspocus clients are served beside y-websocket ones'
  },
  chaos: {
    schema: z.enum(['auto', 'on', 'off'], 'must be auto, on or off'),
    fallback: 'auto',
    env: null,
    value: 'auto|on|off',
    help: 'whether the Chaos page may start and kill a child server; auto: for this machine, where nobody signs in'
  },
  logLevel: {
    schema: z.enum(logLevels, `must be one of ${logLevels.join(', ')}`),
    fallback: 'info',
    env: null,
    value: 'level',
    help: `${logLevels.join(', ')}; logs go to standard error`
  },
  limit: {
    schema: z.array(limitPair).transform(pairs => Object.assign({}, ...pairs) as Partial<Limits>),
    fallback: [],
    env: null,
    value: 'name=number',
    help: 'sets one limit, see docs/operating.md; may be repeated, comma-separated in the variable'
  }
} as const

export type SettingName = keyof typeof settings
export type Config = { readonly [name in SettingName]: z.output<(typeof settings)[name]['schema']> }

/** A setting that cannot be used. The message is one sentence for the person who set it. */
export class ConfigError extends Error {}

export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)}`
}

export function variableOf(name: SettingName): string {
  return `CHORUS_${name.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`
}

type Given = { readonly [name in SettingName]?: string | string[] | undefined }

/** Flags first, then CHORUS_*, then the other server's variables, then defaults. Throws ConfigError. */
export function readConfig(flags: Given, environment: Readonly<Record<string, string | undefined>>): Config {
  const config: Record<string, unknown> = {}
  for (const name of Object.keys(settings) as SettingName[]) {
    const { source, value } = given(name, flags, environment)
    const parsed = settings[name].schema.safeParse(value)
    if (!parsed.success) {
      throw new ConfigError(
        `${source} ${parsed.error.issues[0]?.message ?? 'is not valid'}, not "${String(value)}"`
      )
    }
    config[name] = parsed.data
  }
  // Every name of the table was parsed by its own schema just now.
  return config as Config
}

function given(
  name: SettingName,
  flags: Given,
  environment: Readonly<Record<string, string | undefined>>
): { source: string; value: unknown } {
  const flag = flags[name]
  if (flag !== undefined) return { source: flagOf(name), value: flag }
  for (const variable of [variableOf(name), settings[name].env]) {
    const value = variable === null ? undefined : environment[variable]
    if (variable === null || value === undefined || value === '') continue
    return { source: variable, value: Array.isArray(settings[name].fallback) ? value.split(',') : value }
  }
  return { source: flagOf(name), value: settings[name].fallback }
}
