/** Whatever a server, a call or the command is told that is misspelt or of another kind is refused by name. */
import { describe, expect, test } from 'vitest'
import { checkOptions, limitsShape, type Shape } from '../../src/base/check.ts'
import { ConfigError, flagOf, readConfig, type SettingName, settings } from '../../src/command/config.ts'
import { createServer, defaultLimits, jwt, webhook } from '../../src/index.ts'
import { shapes } from '../../src/options.ts'
import { startServer } from '../support/server.ts'

const optionsOf = Object.entries(shapes).flatMap(([name, shape]) =>
  Object.keys(shape).map(option => [name, option, shape as Shape] as const)
)

describe('every option of the library', () => {
  test.each(optionsOf)('%s: %s of another kind is a TypeError that names it', (_, option, shape) => {
    const given = { [option]: Symbol('none of its kinds') }

    expect(() => checkOptions('call', given, shape)).toThrow(TypeError)
    expect(() => checkOptions('call', given, shape)).toThrow(`call: ${option} must be `)
  })

  test.each(optionsOf)('%s: %s as undefined is a TypeError that names it', (_, option, shape) => {
    expect(() => checkOptions('call', { [option]: undefined }, shape)).toThrow(
      new RegExp(`^call: ${option} must be .+, not undefined$`)
    )
  })

  test.each(Object.entries(shapes))('%s: an unknown one is a TypeError that names it', (_, shape) => {
    expect(() => checkOptions('call', { nothingOfThatName: 1 }, shape)).toThrow(
      new TypeError('call has no option "nothingOfThatName"')
    )
  })
})

test.each(Object.keys(limitsShape))(
  'the limit %s is a number of at least 0 or a TypeError that names it',
  name => {
    for (const value of [undefined, null, '1', -1, Number.NaN, Number.POSITIVE_INFINITY, 10n, {}]) {
      const limits = { [name]: value } as object
      expect(() => createServer({ limits })).toThrow(
        new RegExp(`^createServer: limits\\.${name} must be a number of at least 0, not `)
      )
    }
    expect(Object.keys(defaultLimits)).toContain(name)
  }
)

describe('an option is checked where it comes in', () => {
  const origins = 'https://app.example.com'
  test.each<[options: object, message: string]>([
    [
      { limits: { documentBytesMaks: 1 } },
      'createServer: limits has no "documentBytesMaks"; is it "documentBytesMax"?'
    ],
    [
      { origins },
      'createServer: origins must be a list of origins, like https://example.org, not "https://app.example.com"'
    ],
    [
      { origins: ['app.example.com'] },
      'createServer: origins.0 must be an origin, like https://example.org, not that list'
    ],
    [{ identity: 'stamp' }, 'createServer: identity must be as-sent or stamped, not "stamp"'],
    [{ durability: 'sycn' }, 'createServer: durability must be sync or relaxed, not "sycn"'],
    [{ trustproxy: [] }, 'createServer has no option "trustproxy"; is it "trustProxy"?'],
    [{ port: 65_536 }, 'createServer: port must be a whole number from 0 to 65535, not 65536'],
    [
      { path: 'docs/' },
      'createServer: path must be a path that begins with / and does not end with one, not "docs/"'
    ],
    [{ store: {} }, 'createServer: store must be a store, not that object'],
    [[], 'createServer takes an object of options, not that list']
  ])('createServer(%j)', (options, message) => {
    expect(() => createServer(options)).toThrow(new TypeError(message))
  })

  test('a token that is too short is not repeated', () => {
    expect(() => createServer({ adminToken: 'hunter2' })).toThrow(
      new TypeError('createServer: adminToken must be a string of at least 32 characters, not what it is')
    )
  })

  test('jwt and webhook', () => {
    const secret = 'x'.repeat(32)
    expect(() => jwt({ secret, audiance: 'a' } as never)).toThrow(
      'jwt has no option "audiance"; is it "audience"?'
    )
    expect(() => jwt({ secret, clockToleranceSeconds: '5' } as never)).toThrow(
      'clockToleranceSeconds must be a whole'
    )
    expect(() => webhook({ url: 'ftp://x' })).toThrow('webhook: url must be ')
    expect(() => webhook({} as never)).toThrow('webhook: url must be given')
    expect(() => webhook({ url: 'http://x', limits: { webhookCallMax: 1 } } as never)).toThrow(
      'limits has no "webhookCallMax"'
    )
  })

  test('the calls of a server', async () => {
    const server = await startServer({ authorize: () => ({ user: null, access: 'write' }) })

    await expect(server.delete('room', { copies: 'wellcome' } as never)).rejects.toThrow(
      'copies must be refused or welcome'
    )
    await expect(server.read('room', { vector: new Uint8Array() } as never)).rejects.toThrow(
      'has no option "vector"'
    )
    await expect(server.documents({ limit: -1 })).rejects.toThrow(
      'server.documents: limit must be a whole number'
    )
    await expect(server.change('room', 'doc => {}' as never)).rejects.toThrow(
      'server.change takes a function'
    )
    await expect(server.recheck({})).rejects.toThrow('server.recheck: whose rights?')
    await expect(server.revoke({ user: 'ada', seconds: Number.NaN })).rejects.toThrow(
      'server.revoke: seconds must be'
    )
  })
})

test.each(Object.keys(settings) as SettingName[])(
  'the setting %s of another kind is refused by its flag',
  name => {
    const flags = { [name]: 5 } as never

    expect(() => readConfig(flags, {})).toThrow(ConfigError)
    expect(() => readConfig(flags, {})).toThrow(`${flagOf(name)} `)
  }
)
