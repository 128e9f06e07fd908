/**
 * Every setting in one table: its flag, its environment variable, its default, what it does. The command line, the
 * help text and docs/operating.md come from here.
 */
import { z } from 'zod'
import { jwtShape } from '../access/jwt.ts'
import { kindOf, oneOf } from '../base/check.ts'
import { defaultLimits, type LimitName, type Limits } from '../base/limits.ts'
import { logLevels } from '../base/log.ts'
import { serverShape } from '../options.ts'

const limitNames = Object.keys(defaultLimits) as [LimitName, ...LimitName[]]

const wholeNumber = (max: number) =>
  z
    .string()
    .regex(/^\d+$/, 'must be a whole number')
    .transform(Number)
    .refine(value => value <= max, `must be at most ${max}`)

const limitPair = z
  .string()
  .regex(/^[A-Za-z]+=\d+(\.\d+)?$/, 'must be name=number')
  .transform(pair => pair.split('=') as [string, string])
  .refine(([name]) => limitNames.includes(name as LimitName), {
    error: issue => `has no limit named ${String((issue.input as [string, string])[0])}`
  })
  .transform(([name, value]): Partial<Limits> => ({ [name]: Number(value) }))

/** Empty: not set. */
const text = z.string()

const url = z
  .string()
  .refine(value => value === '' || /^https?:\/\/\S+$/.test(value), 'must be an http or https URL')

/** Repeated, or comma-separated; then as the option takes it. */
const listFor = <T extends z.ZodType>(option: T) =>
  z
    .array(z.string())
    .transform(values =>
      values.flatMap(value => value.split(',').map(each => each.trim())).filter(each => each !== '')
    )
    .pipe(option as unknown as z.ZodType<string[], string[]>)

/** `env` beside CHORUS_*: what @y/websocket-server reads, so that this drops in where that ran. */
export const settings = {
  host: {
    schema: serverShape.host,
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
    schema: serverShape.data,
    fallback: './chorus-data',
    env: 'YPERSISTENCE',
    value: 'place',
    help: 'where documents are kept: a directory, a file: URL, or postgres://…; :memory: keeps nothing'
  },
  bus: {
    schema: text,
    fallback: '',
    env: null,
    value: 'url',
    help: 'what servers on one PostgreSQL tell each other over: redis://…, nats://… or amqp://…; see docs/operating.md'
  },
  nodeName: {
    schema: text.refine(
      value => value === '' || serverShape.nodeName.safeParse(value).success,
      `must be ${kindOf(serverShape.nodeName)}`
    ),
    fallback: '',
    env: null,
    value: 'name',
    help: "this server's name in logs, metrics and /readyz; without it the name of the machine, on PostgreSQL"
  },
  durability: {
    schema: serverShape.durability,
    fallback: 'sync',
    env: null,
    value: 'sync|relaxed',
    help: 'sync: on disk before anyone sees it; relaxed: a power cut may lose the last second'
  },
  path: {
    schema: serverShape.path,
    fallback: '/',
    env: null,
    value: 'prefix',
    help: 'path below which documents and pages are served'
  },
  hocuspocus: {
    schema: serverShape.hocuspocus,
    fallback: 'any-path',
    env: null,
    value: 'any-path|root-path|off',
    help: 'where Hocuspocus clients are served beside y-websocket ones'
  },
  auth: {
    schema: oneOf('loopback', 'none', 'jwt', 'webhook'),
    fallback: 'loopback',
    env: null,
    value: 'loopback|none|jwt|webhook',
    help: 'who may connect: loopback, anyone on this machine; none, anyone; jwt, holders of a token; webhook, whomever your application allows'
  },
  jwtSecretFile: {
    schema: text,
    fallback: '',
    env: null,
    value: 'file',
    help: 'jwt: a file with the secret (HS256), at least 32 bytes'
  },
  jwtPublicKeyFile: {
    schema: text,
    fallback: '',
    env: null,
    value: 'file',
    help: 'jwt: a file with the public key as PEM (RS256, PS256, ES256, EdDSA)'
  },
  jwtJwksUrl: {
    schema: url,
    fallback: '',
    env: null,
    value: 'url',
    help: 'jwt: where the public keys are, as a JSON Web Key Set'
  },
  jwtIssuer: {
    schema: text,
    fallback: '',
    env: null,
    value: 'iss',
    help: 'jwt: the issuer a token must have'
  },
  jwtAudience: {
    schema: text,
    fallback: '',
    env: null,
    value: 'aud',
    help: 'jwt: the audience a token must have'
  },
  jwtClaim: {
    schema: jwtShape.claim,
    fallback: 'rooms',
    env: null,
    value: 'name',
    help: 'jwt: the claim that maps room patterns to read, write or none'
  },
  jwtClockTolerance: {
    schema: wholeNumber(600),
    fallback: '5',
    env: null,
    value: 'seconds',
    help: 'jwt: how far clocks may differ'
  },
  webhookUrl: {
    schema: url,
    fallback: '',
    env: null,
    value: 'url',
    help: 'webhook: URL that decides who may do what'
  },
  webhookTokenFile: {
    schema: text,
    fallback: '',
    env: null,
    value: 'file',
    help: 'webhook: a file with a token that is sent along, as Authorization: Bearer'
  },
  tokenCookie: { schema: text, fallback: '', env: null, value: 'name', help: 'cookie that carries a token' },
  origins: {
    schema: listFor(serverShape.origins),
    fallback: [],
    env: null,
    value: 'origin',
    help: 'origins whose pages may connect, comma-separated; without it any, except where auth is loopback'
  },
  trustProxy: {
    schema: listFor(serverShape.trustProxy),
    fallback: [],
    env: null,
    value: 'addresses',
    help: 'proxies whose X-Forwarded-For counts: addresses, ranges (10.0.0.0/8) or loopback, comma-separated'
  },
  rooms: {
    schema: listFor(serverShape.rooms),
    fallback: [],
    env: null,
    value: 'patterns',
    help: 'patterns of the names that documents may have, comma-separated; without it any'
  },
  history: {
    schema: listFor(serverShape.rooms),
    fallback: [],
    env: null,
    value: 'patterns',
    help: 'patterns of the names of documents that have a history, comma-separated; without it none; see docs/operating.md'
  },
  historyDays: {
    schema: wholeNumber(36_500).refine(value => value > 0, 'must be at least 1'),
    fallback: String(defaultLimits.historyDays),
    env: null,
    value: 'number',
    help: 'how many days a history goes back'
  },
  openHistory: {
    schema: oneOf('none', 'read', 'restore'),
    fallback: 'none',
    env: null,
    value: 'none|read|restore',
    help: 'what everybody may do with histories where nobody signs in; they show what was deleted'
  },
  historyGc: {
    schema: oneOf('collect', 'keep'),
    fallback: 'collect',
    env: null,
    value: 'collect|keep',
    help: 'keep: documents with a history keep the content of what was deleted, for clients with gc: false that keep snapshots of Yjs'
  },
  outlet: {
    schema: listFor(z.array(z.string())),
    fallback: [],
    env: null,
    value: 'url',
    help: 'who is told of every change: https://…, amqp://…, kafka://…, nats://… or redis://…; may be repeated; see docs/feed.md'
  },
  outletSecretFile: {
    schema: text,
    fallback: '',
    env: null,
    value: 'file',
    help: 'a file with the secret that signs the events of webhooks: whsec_ and base64'
  },
  identity: {
    schema: serverShape.identity,
    fallback: 'as-sent',
    env: null,
    value: 'as-sent|stamped',
    help: "stamped: user.id and user.name in everybody's presence are those they signed in with"
  },
  readers: {
    schema: serverShape.readers,
    fallback: 'shown',
    env: null,
    value: 'shown|hidden',
    help: 'whether those who may only read have presence'
  },
  adminTokenFile: {
    schema: text,
    fallback: '',
    env: null,
    value: 'file',
    help: 'a file with the token for /api, at least 32 characters'
  },
  mcp: {
    schema: oneOf('on', 'off'),
    fallback: 'off',
    env: null,
    value: 'on|off',
    help: 'whether agents may edit documents over MCP, at /mcp: see docs/agents.md'
  },
  chaos: {
    schema: serverShape.chaos,
    fallback: 'auto',
    env: null,
    value: 'auto|on|off',
    help: 'whether the Chaos page may start and kill a child server; auto: for this machine, where nobody signs in'
  },
  demo: {
    schema: oneOf('auto', 'on', 'off'),
    fallback: 'auto',
    env: null,
    value: 'auto|on|off',
    help: 'whether the demo pages are served; auto: where nobody has to sign in'
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
