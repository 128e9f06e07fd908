/** Rights over time: a grant that ends, is renewed, or is changed while its holder is connected. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { jwt } from '../../src/access/jwt.ts'
import type { Access, Authorize, Server } from '../../src/index.ts'
import { until } from '../support/clients.ts'
import { openRaw, type Raw, updateFrame } from '../support/raw.ts'
import { authFrame, openHocuspocus, updateFrameOf } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'
import { inSeconds, secret, signed, writer } from '../support/tokens.ts'

const adminToken = 'an admin token of more than 32 characters'

/** Whoever says who they are may do what the table says, until it says something else. */
function byTable(table: Map<string, Access>): Authorize {
  return ({ token }) => ({ user: { id: token ?? '' }, access: table.get(token ?? '') ?? 'none' })
}

function updateOf(text: string): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, text)
  return Y.encodeStateAsUpdate(doc)
}

async function textOf(server: Server, document = 'room'): Promise<string> {
  const doc = new Y.Doc()
  const update = await server.read(document)
  if (update !== null) Y.applyUpdate(doc, update)
  return doc.getText('t').toString()
}

async function enter(url: string, token: string): Promise<Raw> {
  const raw = await openRaw({ url, path: `room?token=${token}` })
  await raw.ask()
  return raw
}

describe('a grant that ends', () => {
  test('[AC2] closes a y-websocket connection with 4503, after the reason', async () => {
    const { url } = await startServer({ authorize: jwt({ secret, clockToleranceSeconds: 0 }) })
    const raw = await enter(url, await signed(writer('ada', { exp: inSeconds(2) })))

    expect(await raw.closed()).toBe(4503)
    expect(raw.frames.at(-1)?.toString()).toContain('the access has expired')
  })

  test('[AC2] a Hocuspocus client is asked for a token before, and goes on with it', async () => {
    const { url } = await startServer({ authorize: jwt({ secret, clockToleranceSeconds: 0 }) })
    const client = await openHocuspocus(url)
    await client.join('room', await signed(writer('ada', { exp: inSeconds(2) })))

    await until(() => client.heard('room').includes('token?'), 'the question')
    client.raw.send(authFrame('room', await signed(writer('ada'))))
    await until(
      () => client.heard('room').filter(said => said.startsWith('authenticated')).length === 2,
      'a grant'
    )
    client.raw.send(updateFrameOf('room', updateOf('later')))
    await until(() => client.heard('room').filter(said => said === 'saved').length === 2, 'the receipt')

    expect(client.raw.closeCode()).toBe(null)
  })

  test('[AC2] closes a Hocuspocus connection with 4503; one with other rooms only loses that one', async () => {
    const { url } = await startServer({ authorize: jwt({ secret, clockToleranceSeconds: 0 }) })
    const short = await signed(writer('ada', { exp: inSeconds(3) }))
    const alone = await openHocuspocus(url)
    const several = await openHocuspocus(url)
    await Promise.all([alone.join('room', short), several.join('room', short)])
    await several.join('other', await signed(writer('ada')))

    expect(await alone.raw.closed()).toBe(4503)
    await until(
      () => several.heard('room').includes('denied: the access has expired; come back with a new token'),
      'the refusal'
    )
    several.raw.send(updateFrameOf('other', updateOf('goes on')))
    await until(() => several.heard('other').filter(said => said === 'saved').length === 2, 'the receipt')
    expect(several.raw.closeCode()).toBe(null)
  })

  test('[AC2] that lasts longer than a timer of Node can wait does not end at once', async () => {
    const expiresAt = Date.now() + 100 * 86_400_000
    const { url } = await startServer({ authorize: () => ({ user: null, access: 'write', expiresAt }) })

    const raw = await enter(url, 'any')
    await raw.ask()

    expect(raw.closeCode()).toBe(null)
  })

  test.each([[Number.NaN], ['soon'], [null], [0]])('[AC2] a time of %j is over', async expiresAt => {
    const grant = { user: null, access: 'write', expiresAt } as unknown as ReturnType<Authorize>
    const { url } = await startServer({ authorize: () => grant })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(Uint8Array.of(0, 0, 1, 0))

    expect(await raw.closed()).toBe(4503)
  })
})

describe('rights that change', () => {
  test('[AC3] read becomes write and write becomes read without a reconnect, in both dialects', async () => {
    const table = new Map<string, Access>([['ada', 'read']])
    const server = await startServer({ authorize: byTable(table) })
    const web = await enter(server.url, 'ada')
    const provider = await openHocuspocus(server.url)
    await provider.join('room', 'ada')

    web.send(updateFrame(updateOf('no ')))
    await until(() => web.frames.some(frame => frame.toString().includes('may only read')), 'the refusal')
    table.set('ada', 'write')
    expect(await server.recheck({ user: 'ada' })).toEqual({ checked: 2, changed: 2, ended: 0 })
    web.send(updateFrame(updateOf('yes ')))
    await web.ask()
    table.set('ada', 'read')
    expect(await server.recheck({ document: 'room' })).toEqual({ checked: 2, changed: 2, ended: 0 })
    provider.raw.send(updateFrameOf('room', updateOf('no more ')))
    await until(() => provider.heard('room').includes('not saved'), 'the refusal')

    expect(await textOf(server)).toBe('yes ')
    expect(provider.heard('room').filter(said => said.startsWith('authenticated'))).toEqual([
      'authenticated: readonly',
      'authenticated: read-write',
      'authenticated: readonly'
    ])
    expect([web.closeCode(), provider.raw.closeCode()]).toEqual([null, null])
  })

  test('[AC3] who has no right any more is out: 4403, or PermissionDenied; others stay', async () => {
    const table = new Map<string, Access>([
      ['ada', 'write'],
      ['bob', 'write']
    ])
    const server = await startServer({ authorize: byTable(table) })
    const web = await enter(server.url, 'ada')
    const other = await enter(server.url, 'bob')
    const provider = await openHocuspocus(server.url)
    await provider.join('room', 'ada')

    table.delete('ada')
    expect(await server.recheck({ user: 'ada' })).toEqual({ checked: 2, changed: 0, ended: 2 })

    expect(await web.closed()).toBe(4403)
    expect(provider.heard('room').at(-1)).toBe('denied: no access to this document')
    await other.ask()
  })

  test('[AC3] a right that is taken away while the question about it is under way is not given', async () => {
    let answer: (access: Access) => void = () => {}
    let asked = 0
    const authorize: Authorize = ({ purpose }) => {
      asked++
      if (purpose === 'recheck') return { user: null, access: 'none' }
      return new Promise(resolve => {
        answer = access => resolve({ user: null, access })
      })
    }
    const server = await startServer({ authorize })
    const raw = await openRaw({ url: server.url, path: 'room?token=t' })
    raw.send(Uint8Array.of(0, 0, 1, 0))
    await until(() => asked === 1, 'the question')

    await server.recheck({ document: 'room' })
    answer('write')

    expect(await raw.closed()).toBe(4403)
    expect(asked).toBe(2)
  })

  test('[AC3] what is revoked stays so whatever a token says, until it is given back', async () => {
    const server = await startServer({ authorize: jwt({ secret }), adminToken })
    const token = await signed(writer('ada'))
    const raw = await enter(server.url, token)
    const post = (path: string, body: unknown, bearer = adminToken) =>
      fetch(`${server.url}/api/${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}` },
        body: JSON.stringify(body)
      })

    const reduced = await post('revoke', { user: 'ada', document: 'room', access: 'read' })
    expect(await reduced.json()).toEqual({ checked: 1, changed: 1, ended: 0 })
    const revoked = await post('revoke', { user: 'ada' })
    expect(await revoked.json()).toEqual({ checked: 1, changed: 0, ended: 1 })
    expect(await raw.closed()).toBe(4403)
    const again = await openRaw({ url: server.url, path: `room?token=${token}` })
    again.send(Uint8Array.of(0, 0, 1, 0))
    expect(await again.closed()).toBe(4403)

    await post('revoke', { user: 'ada', access: 'write' })
    await post('revoke', { user: 'ada', document: 'room', access: 'write' })
    await enter(server.url, token)
    const statuses = [
      await post('revoke', {}),
      await post('revoke', { user: 'ada', access: 'all' }),
      await post('revoke', { user: 'ada', seconds: -1 }),
      await post('recheck', { user: 7 }),
      await post('recheck', { user: 'ada' }, 'a guess'),
      await post('recheck', { user: 'ada' })
    ].map(({ status }) => status)
    expect(statuses).toEqual([400, 400, 400, 400, 401, 200])
  })

  test('a request whose body nests thousands deep is answered with 400', async () => {
    const server = await startServer({ authorize: jwt({ secret }), adminToken })
    const deep = (levels: number) => `{"user":"ada","a":${'['.repeat(levels)}${']'.repeat(levels)}}`
    const post = (body: string) =>
      fetch(`${server.url}/api/recheck`, {
        method: 'POST',
        headers: { authorization: `Bearer ${adminToken}` },
        body
      })

    expect((await post(deep(499))).status).toBe(200)
    expect((await post(deep(500))).status).toBe(400)
    expect((await post(deep(30_000))).status).toBe(400)
  })

  test('where nobody is asked there is nothing to change: a mistake, not silence', async () => {
    const server = await startServer({ adminToken })

    await expect(server.recheck({ user: 'ada' })).rejects.toThrow(TypeError)
    await expect(server.revoke({ user: 'ada' })).rejects.toThrow(TypeError)
    const { status } = await fetch(`${server.url}/api/revoke`, {
      method: 'POST',
      headers: { authorization: `Bearer ${adminToken}` },
      body: '{"user":"ada"}'
    })
    expect(status).toBe(404)
  })

  test('[AC7] connections of one user are bounded; the next one that goes makes room', async () => {
    const limits = { connectionsPerUserMax: 2 }
    const { url } = await startServer({ authorize: jwt({ secret }), limits })
    const token = await signed(writer('ada'))
    const first = await enter(url, token)
    const provider = await openHocuspocus(url)
    await provider.join('a', token)
    await provider.join('b', token)

    const third = await openRaw({ url, path: `room?token=${token}` })
    third.send(Uint8Array.of(0, 0, 1, 0))
    expect(await third.closed()).toBe(1013)
    await enter(url, await signed(writer('bob')))
    first.socket.close()
    await first.closed()
    await enter(url, token)
  })
})
