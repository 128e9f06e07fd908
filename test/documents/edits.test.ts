/** Edits of documents by those who have no copy of them: what they change, what they refuse, and that they happen once. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createMemoryStore, type Store } from '../../persistence/index.ts'
import { decodeRecord } from '../../src/document/record.ts'
import { scanUpdate } from '../../src/document/scan.ts'
import type { EditCall, EditOutcome } from '../../src/documents/edit-api.ts'
import type { DataChange, TextChange } from '../../src/editing/jobs.ts'
import type { Running } from '../../src/running.ts'
import { buildParts } from '../support/inside.ts'
import { randomOf } from '../support/random.ts'
import { seed } from '../support/seed.ts'
import { race } from './edit-races.ts'

console.log(`test/documents/edits.test.ts: SEED=${seed}`)

const person = { user: 'bob', connection: 'c1', origin: 'client' } as const
const agent = { user: 'bot', connection: 'agent-1', origin: 'agent' } as const
const document = 'd'

type Made = { readonly running: Running; readonly store: Store; readonly doc: Y.Doc }

/** A server's parts with a document that a person has made. */
async function make(fill: (doc: Y.Doc) => void): Promise<Made> {
  const store = createMemoryStore()
  const made = { running: buildParts(store, {}), store, doc: new Y.Doc() }
  await byPerson(made, fill)
  return made
}

async function byPerson({ running, doc }: Made, change: (doc: Y.Doc) => void): Promise<void> {
  const stored = await running.documents.read(document)
  if (stored !== null) Y.applyUpdate(doc, stored)
  const updates: Uint8Array[] = []
  const gather = (update: Uint8Array) => updates.push(update)
  doc.on('update', gather)
  doc.transact(() => change(doc))
  doc.off('update', gather)
  const room = await running.rooms.open(document)
  for (const update of updates) await room.writing.apply({ update, scan: scanUpdate(update) }, person)
}

function edit({ running }: Made, changes: readonly TextChange[], call: Partial<EditCall> = {}) {
  const question = { kind: 'text', type: 't', changes } as const
  return running.edits.edit({ ...plainCall, question, ...call })
}

function patch({ running }: Made, changes: readonly DataChange[], call: Partial<EditCall> = {}) {
  return running.edits.edit({ ...plainCall, question: { kind: 'data', changes }, ...call })
}

const plainCall = { document, author: agent, version: null, key: null, wordsPerSecond: null } as const

async function read(
  { running }: Made,
  form: 'text' | 'outline' | 'json' = 'text',
  type: string | null = 't'
) {
  const answer = await running.edits.read(document, { form, type, anchor: null })
  const json: unknown = JSON.parse(Buffer.from(answer?.json ?? []).toString())
  return { version: answer?.version ?? '', answer: json as Record<string, unknown> }
}

async function textOf(made: Made): Promise<string> {
  return String((await read(made)).answer.text)
}

const text = (content: string) => (doc: Y.Doc) => doc.getText('t').insert(0, content)

describe('an edit of a text', () => {
  test('replaces, inserts and deletes what is quoted or numbered, all of it or nothing', async () => {
    const made = await make(text('one two three four'))

    const outcome = await edit(made, [
      { op: 'replace', quote: 'two', text: 'TWO' },
      { op: 'insert', quote: 'one', side: 'after', text: ' and a half' },
      { op: 'delete', index: 13, length: 5 },
      { op: 'insert', text: '!' }
    ])

    expect(outcome).toMatchObject({ outcome: 'edited', isChanged: true })
    expect(await textOf(made)).toBe('one and a half TWO three!')
    const bad = edit(made, [
      { op: 'insert', text: 'never' },
      { op: 'delete', index: 1_000, length: 1 }
    ])
    await expect(bad).rejects.toMatchObject({ code: 'ERR_BAD_EDIT' })
    expect(await textOf(made)).toBe('one and a half TWO three!')
  })

  test('is refused with the fresh passage and who changed it, where others changed it since', async () => {
    const made = await make(text('The price is 10 coins. The end.'))
    const { version } = await read(made)
    await byPerson(made, doc => {
      doc.getText('t').delete(13, 2)
      doc.getText('t').insert(13, '12')
    })

    const outcome = await edit(
      made,
      [{ op: 'replace', quote: 'price is 10 coins', text: 'price is 9 coins' }],
      {
        version
      }
    )

    expect(outcome).toMatchObject({
      outcome: 'stale',
      change: 0,
      passage: 'price is 12 coins',
      by: [{ author: person }]
    })
    expect(await textOf(made)).toBe('The price is 12 coins. The end.')
  })

  test('a passage that was deleted and typed again is another one', async () => {
    const made = await make(text('keep this word here'))
    const { version } = await read(made)
    await byPerson(made, doc => {
      doc.getText('t').delete(10, 4)
      doc.getText('t').insert(10, 'word')
    })

    const outcome = await edit(made, [{ op: 'replace', quote: 'this word', text: 'nothing' }], { version })

    expect(outcome).toMatchObject({ outcome: 'stale', passage: 'this word' })
  })

  test('goes to where its passage is by now, when others changed something else', async () => {
    const made = await make(text('alpha beta gamma'))
    const { version } = await read(made)
    await byPerson(made, doc => doc.getText('t').insert(0, 'a long beginning, '))

    expect(
      await edit(made, [{ op: 'replace', index: 6, length: 4, text: 'BETA' }], { version })
    ).toMatchObject({
      outcome: 'edited'
    })
    expect(await textOf(made)).toBe('a long beginning, alpha BETA gamma')
  })

  test('an agent need not read again what it wrote itself', async () => {
    const made = await make(text('draft'))
    const { version } = await read(made)
    await edit(made, [{ op: 'replace', quote: 'draft', text: 'first text' }], { version })

    const outcome = await edit(made, [{ op: 'replace', quote: 'first', text: 'second' }], { version })

    expect(outcome.outcome).toBe('edited')
    expect(await textOf(made)).toBe('second text')
  })

  test('a passage that occurs more than once needs to be told apart', async () => {
    const made = await make(text('x y x'))

    await expect(edit(made, [{ op: 'delete', quote: 'x' }])).rejects.toMatchObject({
      code: 'ERR_BAD_EDIT',
      publicReason: expect.stringContaining('2 times')
    })
    expect(await edit(made, [{ op: 'delete', quote: 'x', occurrence: 2 }])).toMatchObject({
      outcome: 'edited'
    })
    expect(await textOf(made)).toBe('x y ')
  })

  test('finds its block in a rich text by an anchor, and writes new blocks', async () => {
    const made = await make(doc => {
      const fragment = doc.getXmlFragment('p')
      for (const content of ['same words', 'same words']) {
        const paragraph = new Y.XmlElement('paragraph')
        paragraph.insert(0, [new Y.XmlText(content)])
        fragment.push([paragraph])
      }
    })
    const outline = await read(made, 'outline', 'p')
    const [, second] = outline.answer.blocks as { anchor: string; name: string; text: string }[]
    const on = { question: { kind: 'text', type: 'p' }, version: outline.version } as const

    const changes: TextChange[] = [
      { op: 'replace', anchor: second?.anchor, quote: 'same', text: 'other' },
      { op: 'insert-block', anchor: second?.anchor, name: 'heading', attributes: { level: '2' }, text: 'End' }
    ]
    await edit(made, [], { ...on, question: { ...on.question, changes } })

    expect(second).toMatchObject({ name: 'paragraph', text: 'same words' })
    expect((await read(made, 'json', 'p')).answer).toEqual({
      types: {
        p: '<paragraph>same words</paragraph><paragraph>other words</paragraph><heading level="2">End</heading>'
      }
    })
  })

  test('with a key it is made once, also by another server on the same store', async () => {
    const made = await make(text('a'))
    const change = [{ op: 'insert', text: 'b' }] as const
    await edit(made, change, { key: 'k' })

    const again = await edit(made, change, { key: 'k' })
    const other = { ...made, running: buildParts(made.store, {}) }
    const elsewhere = await edit(other, change, { key: 'k' })

    expect([again, elsewhere]).toMatchObject([{ isRepeated: true }, { isRepeated: true }])
    expect(await textOf(made)).toBe('ab')
    const reused = edit(made, [{ op: 'insert', text: 'c' }], { key: 'k' })
    await expect(reused).rejects.toMatchObject({ code: 'ERR_KEY_REUSED' })
  })

  test('stands in the log under its author, in a record of its own', async () => {
    const made = await make(text('a'))
    await edit(made, [{ op: 'insert', text: 'b' }])

    const { records } = await made.store.load(document)
    expect(decodeRecord(records.at(-1)?.record ?? new Uint8Array())).toMatchObject([{ author: agent }])
  })

  test('comes at a pace, and stops where somebody deletes what is being written', async () => {
    const made = await make(text('Start: '))
    const long = Array.from({ length: 40 }, (_, i) => `word${i}`).join(' ')
    let steps = 0
    const writing = edit(made, [{ op: 'insert', text: long }], {
      wordsPerSecond: 10,
      onStep: () => {
        steps++
        if (steps !== 3) return
        void byPerson(made, doc => {
          const all = doc.getText('t')
          all.delete(7, all.length - 7)
        })
      }
    })

    expect(await writing).toMatchObject({ outcome: 'edited', isInterrupted: true })
    expect(steps).toBeGreaterThanOrEqual(3)
    expect(steps).toBeLessThan(20)
    expect(await textOf(made)).not.toContain('word39')
  })

  test('of a document that is not there, and of what is no version, is refused', async () => {
    const made = await make(text('a'))

    await expect(edit(made, [{ op: 'insert', text: 'b' }], { document: 'none' })).rejects.toMatchObject({
      code: 'ERR_NO_DOCUMENT'
    })
    await expect(edit(made, [{ op: 'insert', text: 'b' }], { version: 'x' })).rejects.toMatchObject({
      code: 'ERR_BAD_MESSAGE'
    })
  })
})

describe('a patch of data', () => {
  const fill = (doc: Y.Doc) => {
    doc.getMap('m').set('title', 'Plan')
    doc.getMap('m').set('tags', Y.Array.from(['a', 'b']))
    doc.getMap('m').set('plain', { deep: { list: [1, 2] } })
    doc.getArray('l').push(['x', 'y', 'z'])
  }
  const types = async (made: Made) => (await read(made, 'json', null)).answer.types

  test('changes shared and plain values as RFC 6902 says', async () => {
    const made = await make(fill)

    await patch(made, [
      { op: 'test', path: '/m/title', value: 'Plan' },
      { op: 'replace', path: '/m/title', value: 'Plan B' },
      { op: 'add', path: '/m/tags/-', value: 'c' },
      { op: 'remove', path: '/m/tags/0' },
      { op: 'add', path: '/m/plain/deep/list/1', value: 9 },
      { op: 'add', path: '/m/with~1slash', value: null },
      { op: 'move', from: '/l/0', path: '/l/2' },
      { op: 'copy', from: '/m/tags', path: '/m/copied' }
    ])

    expect(await types(made)).toEqual({
      m: {
        title: 'Plan B',
        tags: ['b', 'c'],
        plain: { deep: { list: [1, 9, 2] } },
        'with/slash': null,
        copied: ['b', 'c']
      },
      l: ['y', 'z', 'x']
    })
  })

  test('does nothing at all when one of its operations cannot be done', async () => {
    const made = await make(fill)
    const add = { op: 'add', path: '/m/new', value: 1 } as const

    const wrong: DataChange[] = [
      { op: 'remove', path: '/m/nothing' },
      { op: 'replace', path: '/l/3', value: 1 },
      { op: 'add', path: '/l/5', value: 1 },
      { op: 'add', path: '/l/01', value: 1 },
      { op: 'move', from: '/m/plain', path: '/m/plain/deep' },
      { op: 'add', path: 'no-slash', value: 1 }
    ]
    for (const change of wrong) {
      await expect(patch(made, [add, change]), change.path).rejects.toMatchObject({ code: 'ERR_BAD_EDIT' })
    }
    expect(await patch(made, [add, { op: 'test', path: '/m/title', value: 'no' }])).toMatchObject({
      outcome: 'stale',
      change: 1,
      passage: 'Plan'
    })
    expect(await types(made)).toMatchObject({ m: expect.not.objectContaining({ new: 1 }) })
  })

  test('is refused where others have changed the value, or moved the entries of the list', async () => {
    const made = await make(fill)
    const { version } = await read(made)
    await byPerson(made, doc => {
      doc.getMap('m').set('title', 'Other')
      doc.getArray('l').insert(0, ['new'])
    })
    const outcome = (change: DataChange): Promise<EditOutcome> => patch(made, [change], { version })

    const title = await outcome({ op: 'replace', path: '/m/title', value: 'Mine' })
    const entry = await outcome({ op: 'remove', path: '/l/0' })
    const beside = await outcome({ op: 'add', path: '/m/tags/-', value: 'c' })

    expect(title).toMatchObject({ outcome: 'stale', passage: 'Other', by: [{ author: person }] })
    expect(entry).toMatchObject({ outcome: 'stale', passage: ['new', 'x', 'y', 'z'] })
    expect(beside).toMatchObject({ outcome: 'edited' })
  })
})

describe('a race with a person on one passage', () => {
  test('never writes over what the person has changed, on one server', async () => {
    const store = createMemoryStore()
    const running = buildParts(store, {})
    const rounds = Number(process.env.ROUNDS ?? 60)
    const place = { store, agents: running, people: running }
    const total = { written: 0, refused: 0, stale: 0 }
    const random = randomOf(seed)
    for (let done = 0; done < rounds; done += 30) {
      const found = await race(place, { document: `race ${done}`, rounds: 30, random })
      for (const key of ['written', 'refused', 'stale'] as const) total[key] += found[key]
    }

    console.log(`races on one server: ${JSON.stringify(total)}`)
    expect(total.stale).toBe(0)
    expect(total.written).toBeGreaterThan(0)
    expect(total.refused).toBeGreaterThan(0)
  })
})
