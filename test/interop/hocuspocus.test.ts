/** Unmodified Hocuspocus providers of every supported major version against a real server: one suite in a loop. */
import { describe, expect, test } from 'vitest'
import { until } from '../support/clients.ts'
import { provide, providerSynced, providerVersions, saved } from '../support/hocuspocus.ts'
import { startServer } from '../support/server.ts'

describe.each(providerVersions)('Hocuspocus %s: documents', version => {
  test.each([
    ['', 'tok'],
    ['', null],
    ['/collaboration', 'tok'],
    ['/collaboration', null]
  ])('smoke %s %s', async (path, token) => {
    const { url } = await startServer()
    const a = provide(url, 'room', { version, path, token })
    const b = provide(url, 'room', { version, path, token })
    await Promise.all([providerSynced(a), providerSynced(b)])
    a.doc.getText('t').insert(0, 'hello')
    await until(() => b.doc.getText('t').toString() === 'hello', 'b')
    await Promise.all([saved(a), saved(b)])
    expect(a.provider.unsyncedChanges).toBe(0)
  })
})
