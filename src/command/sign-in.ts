/** From settings to the options that say who may do what: reads the files that hold secrets, and says what does not fit. */
import { readFileSync } from 'node:fs'
import { isLoopback } from '../access/gate.ts'
import { type Access, type HistoryAccess, isHistoryAccess } from '../access/grant.ts'
import { type JwtKey, jwt } from '../access/jwt.ts'
import { signToken } from '../access/sign.ts'
import { webhook } from '../access/webhook.ts'
import { withLimits } from '../base/limits.ts'
import type { Log } from '../base/log.ts'
import type { ServerOptions } from '../options.ts'
import { type Config, ConfigError, flagOf, type SettingName } from './config.ts'

type AccessOptions = Pick<
  ServerOptions,
  | 'authorize'
  | 'tokenCookie'
  | 'origins'
  | 'trustProxy'
  | 'rooms'
  | 'identity'
  | 'readers'
  | 'adminToken'
  | 'openHistory'
>

/** Throws ConfigError. */
export function accessOptions(config: Config, log: Log): AccessOptions {
  const {
    auth,
    host,
    tokenCookie,
    origins,
    trustProxy,
    rooms,
    identity,
    readers,
    adminTokenFile,
    openHistory
  } = config
  if (auth === 'loopback' && !isLoopback(host)) {
    throw new ConfigError(
      `${host} can be reached from elsewhere, and nobody would be asked who they are: choose --auth jwt or ` +
        '--auth webhook, or --auth none for a server that is open to everybody'
    )
  }
  if (openHistory !== 'none' && (auth === 'jwt' || auth === 'webhook')) {
    throw new ConfigError(
      `--open-history is for servers where nobody signs in, and --auth is ${auth}: a token or your application says who may see histories`
    )
  }
  const authorize = authorizeOf(config, log)
  return {
    trustProxy,
    identity,
    readers,
    ...(openHistory === 'none' ? {} : { openHistory }),
    ...(authorize === undefined ? {} : { authorize }),
    ...(tokenCookie === '' ? {} : { tokenCookie }),
    ...(origins.length === 0 ? {} : { origins }),
    ...(rooms.length === 0 ? {} : { rooms }),
    ...(adminTokenFile === '' ? {} : { adminToken: secretIn('adminTokenFile', config) })
  }
}

function authorizeOf(config: Config, log: Log): AccessOptions['authorize'] {
  checkOthers(config)
  switch (config.auth) {
    case 'loopback':
      return undefined
    case 'none':
      return 'none'
    case 'jwt':
      return asked(() => jwtOf(config, log))
    case 'webhook':
      return asked(() => webhookOf(config))
    default:
      return config.auth satisfies never
  }
}

/** A setting of a way of signing in that is not used was meant to be. */
function checkOthers(config: Config): void {
  for (const [auth, names] of Object.entries(settingsOf)) {
    const stray = names.find(name => config[name] !== '')
    if (stray !== undefined && config.auth !== auth) {
      throw new ConfigError(`${flagOf(stray)} is for --auth ${auth}, and --auth is ${config.auth}`)
    }
  }
}

const settingsOf = {
  jwt: ['jwtSecretFile', 'jwtPublicKeyFile', 'jwtJwksUrl', 'jwtIssuer', 'jwtAudience'],
  webhook: ['webhookUrl', 'webhookTokenFile']
} as const satisfies Record<string, readonly SettingName[]>

function jwtOf(config: Config, log: Log) {
  const { jwtIssuer: issuer, jwtAudience: audience, jwtClaim: claim, jwtClockTolerance } = config
  return jwt({
    ...keyOf(config),
    ...(issuer === '' ? {} : { issuer }),
    ...(audience === '' ? {} : { audience }),
    claim,
    clockToleranceSeconds: jwtClockTolerance,
    limits: withLimits(config.limit),
    onFailure: error => log.warn({ reason: error.message }, 'the keys for tokens could not be had')
  })
}

const tokenLifeSeconds = 3600

type TokenWish = {
  readonly user: string
  /** `pattern=access` each. */
  readonly rights: readonly string[]
  /** `read` or `restore`, for all documents of the rights; or `pattern=right` each. */
  readonly histories: readonly string[]
}

/** A token that this configuration lets in, for an hour. Throws ConfigError. */
export async function tokenFor(config: Config, { user, rights, histories }: TokenWish): Promise<string> {
  if (config.jwtSecretFile === '') {
    throw new ConfigError(
      'a token is signed with the secret of --jwt-secret-file; give the one of the server'
    )
  }
  const { jwtIssuer: issuer, jwtAudience: audience, jwtClaim: claim } = config
  const rooms = Object.fromEntries(rights.map(rightOf))
  const patterns = Object.keys(rooms)
  const pasts = histories.flatMap(each => each.split(',')).flatMap(each => pastOf(each.trim(), patterns))
  const key = keyOf(config)
  asked(() => jwt(key))
  return signToken('secret' in key ? String(key.secret) : '', {
    user,
    rooms,
    claim,
    lifeSeconds: tokenLifeSeconds,
    ...(pasts.length === 0 ? {} : { histories: Object.fromEntries(pasts) }),
    ...(issuer === '' ? {} : { issuer }),
    ...(audience === '' ? {} : { audience })
  })
}

function rightOf(right: string): [pattern: string, access: Access] {
  const [, pattern = '', access] = /^(.+)=(read|write|none)$/.exec(right) ?? []
  if (access === 'read' || access === 'write' || access === 'none') return [pattern, access]
  throw new ConfigError(`"${right}" is no right: write pattern=access, as in team/**=write, or read or none`)
}

function pastOf(wish: string, patterns: readonly string[]): [pattern: string, right: HistoryAccess][] {
  if (isHistoryAccess(wish)) return patterns.map(pattern => [pattern, wish])
  const [, pattern = '', right] = /^(.+)=(\w+)$/.exec(wish) ?? []
  if (isHistoryAccess(right)) return [[pattern, right]]
  throw new ConfigError(
    `"${wish}" is no right to histories: write --history read, or restore; or pattern=right, as in team/**=read`
  )
}

function keyOf(config: Config): JwtKey {
  const { jwtSecretFile, jwtPublicKeyFile, jwtJwksUrl } = config
  const given = [jwtSecretFile, jwtPublicKeyFile, jwtJwksUrl].filter(value => value !== '')
  if (given.length !== 1) {
    throw new ConfigError(
      '--auth jwt needs one of --jwt-secret-file, --jwt-public-key-file and --jwt-jwks-url'
    )
  }
  if (jwtSecretFile !== '') return { secret: secretIn('jwtSecretFile', config) }
  if (jwtPublicKeyFile !== '') return { publicKey: secretIn('jwtPublicKeyFile', config) }
  return { jwksUrl: jwtJwksUrl }
}

function webhookOf(config: Config) {
  if (config.webhookUrl === '') throw new ConfigError('--auth webhook needs --webhook-url')
  const headers =
    config.webhookTokenFile === '' ? {} : { authorization: `Bearer ${secretIn('webhookTokenFile', config)}` }
  return webhook({ url: config.webhookUrl, headers, limits: withLimits(config.limit) })
}

type FileSetting =
  | 'jwtSecretFile'
  | 'jwtPublicKeyFile'
  | 'webhookTokenFile'
  | 'adminTokenFile'
  | 'outletSecretFile'

/** A file, and not the command line: that one everybody on the machine can read. */
export function secretIn(name: FileSetting, config: Config): string {
  try {
    return readFileSync(config[name], 'utf8').trim()
  } catch (cause) {
    throw new ConfigError(`${flagOf(name)} ${config[name]} cannot be read`, { cause })
  }
}

function asked<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof TypeError) throw new ConfigError(error.message, { cause: error })
    throw error
  }
}
