/** Messages that are begun and not ended, or that cannot be handled yet: nobody fills the memory with them. */
import { randomBytes } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { Refusal } from '../../src/base/errors.ts'
import { connect, synced, until } from '../support/clients.ts'
import { openRaw, type Raw, updateFrame, withPayload } from '../support/raw.ts'
import { authFrame, openHocuspocus } from '../support/raw-hocuspocus.ts'
import { startServer } from '../support/server.ts'
import { openTcp } from '../support/tcp.ts'

const KiB = 1024

/** A fragment of a message that has no end yet. */
function begin({ socket }: Raw, bytes: number): void {
  socket.send(new Uint8Array(bytes), { fin: false })
}

/** An update frame of about so many bytes. */
function longUpdate(bytes: number): Uint8Array {
  const doc = new Y.Doc()
  doc.getText('t').insert(0, randomBytes(bytes / 2).toString('hex'))
  return updateFrame(Y.encodeStateAsUpdate(doc))
}

async function textOf(url: string, path: string, length: number): Promise<void> {
  const reader = connect(url, path)
  onTestFinished(reader.destroy)
  await synced(reader)
  await until(() => reader.doc.getText('t').length === length, 'the text')
}

const from = (address: string) => ({ 'x-forwarded-for': address })
const proxied = { authorize: 'none', trustProxy: ['loopback'] } as const

describe('[AC14] unfinished messages', () => {
  test('have a bound for all: whoever keeps most is closed with 1013, and not who comes last', async () => {
    const { url } = await startServer({ limits: { unfinishedBytesMax: 1_000 * KiB } })
    const most = await openRaw({ url, path: 'most' })
    const late = await openRaw({ url, path: 'late' })
    const frame = longUpdate(500 * KiB)

    begin(most, 700 * KiB)
    most.socket.ping()
    await new Promise(resolve => most.socket.once('pong', resolve))
    late.socket.send(frame.subarray(0, 400 * KiB), { fin: false })

    expect(await most.closed()).toBe(1013)
    late.socket.send(frame.subarray(400 * KiB))
    await textOf(url, 'late', 500 * KiB)
    expect(late.closeCode()).toBeNull()
  })

  test('have a bound for each address', async () => {
    const { url } = await startServer({ ...proxied, limits: { unfinishedBytesPerAddressMax: 100 * KiB } })
    const first = await openRaw({ url, path: 'room', headers: from('203.0.113.1') })
    const second = await openRaw({ url, path: 'room', headers: from('203.0.113.1') })
    const other = await openRaw({ url, path: 'room', headers: from('203.0.113.2') })

    begin(other, 70 * KiB)
    begin(first, 70 * KiB)
    begin(second, 60 * KiB)

    const gone = await Promise.race([first.closed(), second.closed()])
    expect(gone).toBe(1013)
    expect(other.closeCode()).toBeNull()
  })

  test('of strangers have a tenth, which nobody else pays for', async () => {
    let letIn = false
    const { url } = await startServer({
      limits: { unfinishedBytesMax: 1_000 * KiB },
      authorize: () => (letIn ? { user: null, access: 'write' } : new Promise(() => {}))
    })
    letIn = true
    const member = await openRaw({ url, path: 'room' })
    await member.ask()
    begin(member, 500 * KiB)
    letIn = false

    const strangers = await Promise.all([0, 1, 2].map(() => openRaw({ url, path: 'room' })))
    for (const stranger of strangers) begin(stranger, 50 * KiB)

    expect(await Promise.race(strangers.map(each => each.closed()))).toBe(1013)
    expect(member.closeCode()).toBeNull()
    member.socket.ping()
    await new Promise(resolve => member.socket.once('pong', resolve))
  })

  test('that stop arriving are closed with 1013, also while their sender answers pings', async () => {
    const { url } = await startServer({ limits: { messageStallMs: 100, heartbeatMs: 25 } })
    const raw = await openRaw({ url, path: 'room' })
    await raw.ask()
    let reason = ''
    raw.socket.on('close', (_, text) => {
      reason = text.toString()
    })

    begin(raw, 10)
    const pinging = setInterval(() => raw.socket.ping(), 20)
    onTestFinished(() => clearInterval(pinging))

    expect(await raw.closed()).toBe(1013)
    expect(reason).toBe('a message took too long to arrive; reconnect to send it again')
  })

  test('that arrive slowly are waited for, although their sender can answer no ping meanwhile', async () => {
    const { url } = await startServer({ limits: { pingMs: 100, heartbeatMs: 25 } })
    const tcp = await openTcp(url, 'room')
    const frame = longUpdate(60_000)
    const head = Buffer.from([0x82, 0xfe, frame.length >> 8, frame.length & 0xff, 0, 0, 0, 0])

    tcp.socket.write(head)
    for (let at = 0; at < frame.length; at += 1_500) {
      tcp.socket.write(frame.subarray(at, at + 1_500))
      await new Promise(resolve => setTimeout(resolve, 20))
    }

    await textOf(url, 'room', 60_000)
  })

  test.each(['y-websocket', 'hocuspocus'])('count whole ones too that wait for a room: %s', async dialect => {
    const { url } = await startServer({
      limits: { unfinishedBytesMax: 1_000 * KiB },
      load: () => new Promise(() => {})
    })
    const open = async (document: string, bytes: number) => {
      if (dialect === 'y-websocket') {
        const raw = await openRaw({ url, path: document })
        raw.send(longUpdate(bytes))
        return raw
      }
      const { raw } = await openHocuspocus(url)
      const address = [document.length, ...Buffer.from(document)]
      raw.send(authFrame(document, ''), Uint8Array.from([...address, ...longUpdate(bytes)]))
      return raw
    }

    const most = await open('most', 700 * KiB)
    most.socket.ping()
    await new Promise(resolve => setTimeout(resolve, 50))
    const late = await open('late', 400 * KiB)

    expect(await most.closed()).toBe(1013)
    expect(late.closeCode()).toBeNull()
  })

  test('of invalid frames are let go of in time', async () => {
    const { url } = await startServer({ limits: { closeTimeoutMs: 100 } })
    const tcp = await openTcp(url, 'room')
    const closed = new Promise(resolve => tcp.socket.once('close', resolve))

    tcp.socket.write(Buffer.from([0x02, 0x81, 0, 0, 0, 0, 1, 0x02, 0x81, 0, 0, 0, 0, 1]))

    expect(await tcp.closed()).toBe(1002)
    await closed
  })
})

describe('[AC15] a first message longer than what is read before somebody is let in', () => {
  const limits = { pendingBytesMax: 64 * KiB, authDeadlineMs: 60_000 }

  test('is that of a y-websocket client, who is asked about at once and let in', async () => {
    const { url } = await startServer({ limits, authorize: () => ({ user: null, access: 'write' }) })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(longUpdate(500 * KiB))

    await textOf(url, 'room', 500 * KiB)
    expect(raw.closeCode()).toBeNull()
  })

  test('is not waited for when its sender is refused', async () => {
    const { url } = await startServer({
      limits,
      authorize: () => {
        throw new Refusal('not you')
      }
    })
    const raw = await openRaw({ url, path: 'room' })

    raw.send(longUpdate(500 * KiB))

    expect(await raw.closed()).toBe(4403)
  })

  test('is refused with 4401 where only Hocuspocus clients are served, whose first is their Auth', async () => {
    const { url } = await startServer({ limits, authorize: () => ({ user: null, access: 'write' }) })
    const { raw } = await openHocuspocus(url)
    let reason = ''
    raw.socket.on('close', (_, text) => {
      reason = text.toString()
    })

    raw.send(withPayload([4, 114, 111, 111, 109, 0, 2], new Uint8Array(500 * KiB)))

    expect(await raw.closed()).toBe(4401)
    expect(reason).toBe('too much was sent before an Auth message')
  })
})
