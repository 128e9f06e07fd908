/** Room patterns: what they match, and which of several decides. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Access } from '../../src/access/grant.ts'
import { accessTo, matchesRoom } from '../../src/access/patterns.ts'

test.each([
  ['room', 'room', true],
  ['room', 'rooms', false],
  ['*', 'room', true],
  ['*', 'a/b', false],
  ['*', '', false],
  ['**', 'a/b', true],
  ['**', '', false],
  ['a/*', 'a/b', true],
  ['a/*', 'a/', false],
  ['a/*', 'a/b/c', false],
  ['a/**', 'a/b/c', true],
  ['*/b', 'a/b', true],
  ['**/b', 'x/y/b', true],
  ['a*c', 'abc', true],
  ['a*c', 'ac', false],
  ['a*c', 'abcbc', true],
  ['a***', 'a/b', true],
  ['a.c', 'abc', false],
  ['ü/*', 'ü/ß', true]
])('%j and %j: %j', (pattern, name, matches) => {
  expect(matchesRoom(pattern, name)).toBe(matches)
})

test('agrees with a regular expression of the same meaning', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '/', '*'), { maxLength: 8 }).map(parts => parts.join(''))
  const name = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 10 }).map(parts => parts.join(''))
  fc.assert(
    fc.property(text, name, (pattern, room) => {
      const source = pattern.replace(/\*+/g, stars => (stars === '*' ? '[^/]+' : '.+'))
      expect(matchesRoom(pattern, room)).toBe(new RegExp(`^${source}$`).test(room))
    })
  )
})

test('the most exact pattern decides, the least of equally exact ones, and none gives none', () => {
  const rights = new Map<string, Access>([
    ['**', 'read'],
    ['team/**', 'write'],
    ['team/private/**', 'none'],
    ['team/private/mine', 'write'],
    ['*/shared', 'write'],
    ['shared/*', 'read']
  ])

  expect(['a', 'team/a', 'team/private/a', 'team/private/mine'].map(name => accessTo(name, rights))).toEqual([
    'read',
    'write',
    'none',
    'write'
  ])
  expect(accessTo('shared/shared', rights)).toBe('read')
  expect(accessTo('a', new Map())).toBe('none')
})
