// Who may start and kill the child server: settings and headers only, no process.
import { describe, expect, test } from 'vitest'
import { permissionOf, refusalToAct, refusalToLook } from '../../src/chaos/permission.ts'

const headers = (entries: Record<string, string>) => (name: string) => entries[name]
const local = { host: '127.0.0.1:1234', origin: 'http://127.0.0.1:1234' }

describe('permission', () => {
  test.each([
    ['nobody, where nothing is said', {}, '127.0.0.1', 'nobody'],
    ['this machine, where it listens here only', { chaos: 'auto' }, '127.0.0.1', 'this-machine'],
    ['this machine, by its name', { chaos: 'auto' }, 'localhost', 'this-machine'],
    ['nobody, where it can be reached from elsewhere', { chaos: 'auto' }, '0.0.0.0', 'nobody'],
    ['nobody, where people sign in', { chaos: 'auto', authorize: () => null }, '127.0.0.1', 'nobody'],
    ['nobody, where the application listens', { chaos: 'auto' }, null, 'nobody'],
    ['nobody, where no page is served', { chaos: 'on', pages: null }, '127.0.0.1', 'nobody'],
    ['nobody, where it is off', { chaos: 'off' }, '127.0.0.1', 'nobody'],
    ['everybody, where it was asked for', { chaos: 'on', authorize: () => null }, '0.0.0.0', 'everybody']
  ] as const)('is given to %s', (_case, settings, host, permission) => {
    expect(permissionOf(settings, host)).toBe(permission)
  })
})

describe('a request', () => {
  test.each([
    ['of a page of this server', local, null],
    ['of a page opened by name', { host: 'localhost:1234', origin: 'http://localhost:1234' }, null],
    ['of a page opened by IPv6', { host: '[::1]:1234', origin: 'http://[::1]:1234' }, null],
    ['of a page elsewhere', { ...local, origin: 'https://example.org' }, 'other-origin'],
    ['of a page on another port', { ...local, origin: 'http://127.0.0.1:8080' }, 'other-origin'],
    ['of a sandboxed page', { ...local, origin: 'null' }, 'other-origin'],
    ['without an origin', { host: local.host }, 'other-origin'],
    [
      'to a foreign name for this machine',
      { host: 'evil.example', origin: 'http://evil.example' },
      'elsewhere'
    ],
    ['that a proxy carries', { ...local, 'x-forwarded-for': '203.0.113.9' }, 'elsewhere'],
    ['without a host', { origin: local.origin }, 'elsewhere']
  ])('%s is judged by what a page cannot forge', (_case, given, refusal) => {
    expect(refusalToAct('this-machine', headers(given))).toBe(refusal)
  })

  test('where everybody may, a page of another origin still may not act', () => {
    const foreign = headers({ host: 'chorus.example', origin: 'https://example.org' })

    expect(refusalToLook('everybody', foreign)).toBe(null)
    expect(refusalToAct('everybody', foreign)).toBe('other-origin')
  })
})
