// The chaos page's book of edits: what is promised, and when a document breaks a promise. Real documents, no network.
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { receiptsName, textName } from '../../demo/src/chaos/document.ts'
import { fingerprintOf } from '../../demo/src/chaos/fingerprint.ts'
import { type Followed, Ledger } from '../../demo/src/chaos/ledger.ts'
import { Writer } from '../../demo/src/chaos/writer.ts'
import { randomOf } from '../support/random.ts'

type Person = { readonly doc: Y.Doc; readonly book: Followed; readonly writer: Writer }

/** What a provider's updates have as their origin. */
const network = { name: 'network' }

describe('an edit', () => {
  test('is promised to nobody while only its author has it, and may be missing', () => {
    const { ledger, ada } = people()

    ada.writer.edit()

    expect(ledger.waiting()).toBe(1)
    expect(ledger.promised()).toEqual([])
    expect(ledger.missingFrom(new Y.Doc())).toEqual([])
  })

  test('is promised when its author is told that it is saved, and then an empty document lacks it', () => {
    const { ledger, ada } = people()
    ada.writer.edit()
    ada.writer.edit()

    ada.book.saved(1)

    expect(ledger.promised().map(({ id, promise }) => [id, promise])).toEqual([['Ada-1', 'saved']])
    expect(ledger.missingFrom(new Y.Doc()).map(({ id }) => id)).toEqual(['Ada-1'])
    expect(ledger.missingFrom(copyOf(ada.doc))).toEqual([])
  })

  test('is promised when another replica has seen it, even if its author was told nothing', () => {
    const { ledger, ada, bo } = people()
    ada.writer.edit()

    deliver(ada, bo)

    expect(ledger.promised().map(({ id, promise }) => [id, promise])).toEqual([['Ada-1', 'seen']])
  })

  test('of an author who crashed is no longer waited for, unless somebody had been promised it', () => {
    const { ledger, ada, bo } = people()
    ada.writer.edit()
    deliver(ada, bo)
    ada.writer.edit()

    expect(ada.book.orphan()).toBe(1)

    expect(ledger.waiting()).toBe(0)
    expect(ledger.missingFrom(copyOf(bo.doc))).toEqual([])
    expect(ledger.missingFrom(new Y.Doc()).map(({ id }) => id)).toEqual(['Ada-1'])
  })

  test('that a person types is known by its clocks, without a receipt', () => {
    const { ledger, ada } = people()
    ada.doc.getText(textName).insert(0, 'by hand')

    ada.book.saved(1)

    expect(ledger.missingFrom(copyOf(ada.doc))).toEqual([])
    expect(ledger.missingFrom(new Y.Doc()).map(({ id }) => id)).toEqual(['Ada-typed-1'])
  })
})

describe('a document that breaks a promise is found out', () => {
  test('when it has an edit only in part', () => {
    const { ledger, ada } = people()
    const text = ada.doc.getText(textName)
    text.insert(0, 'half ')
    const half = Y.encodeStateAsUpdate(ada.doc)
    ada.doc.transact(() => {
      text.insert(5, 'of it')
      ada.doc.getMap(receiptsName).set('x', 'text')
    })
    ada.book.saved(2)

    const halved = new Y.Doc()
    Y.applyUpdate(halved, half)

    expect(ledger.missingFrom(halved).map(({ id }) => id)).toEqual(['Ada-typed-2'])
  })

  test('when a deletion is missing', () => {
    const { ledger, ada } = people()
    const text = ada.doc.getText(textName)
    text.insert(0, 'a word too many')
    const before = copyOf(ada.doc)
    text.delete(2, 5)
    ada.book.saved(2)

    expect(ledger.missingFrom(before).map(({ id }) => id)).toEqual(['Ada-typed-2'])
    expect(ledger.missingFrom(copyOf(ada.doc))).toEqual([])
  })

  test('when a receipt is gone that nobody took away, or there that was taken away', () => {
    const { ledger, ada } = people()
    ada.doc.transact(() => ada.doc.getMap(receiptsName).set('first', 'text'), {
      id: 'Ada-1',
      receipt: 'first',
      retracts: null
    })
    ada.book.saved(1)
    const thief = copyOf(ada.doc)
    thief.getMap(receiptsName).delete('first')
    expect(ledger.missingFrom(thief).map(({ id }) => id)).toEqual(['Ada-1'])

    const before = copyOf(ada.doc)
    retractFirst(ada)
    // Not promised yet: with it and without it are both right.
    expect(ledger.missingFrom(before)).toEqual([])
    expect(ledger.missingFrom(copyOf(ada.doc))).toEqual([])
    ada.book.saved(2)

    expect(ledger.missingFrom(before).map(({ id }) => id)).toEqual(['Ada-2'])
  })

  test.each([1, 2, 3, 4, 5, 6, 7, 8].map(() => Math.floor(Math.random() * 2 ** 31)))(
    'whichever update of a session it lacks (seed %i)',
    seed => {
      const random = randomOf(seed)
      const { ledger, ada, bo } = people(random)
      const updates: Uint8Array[] = []
      ada.doc.on('update', (update: Uint8Array) => updates.push(update))
      for (let round = 0; round < 60; round++) {
        ;(random() < 0.5 ? ada : bo).writer.edit()
        deliver(bo, ada)
        deliver(ada, bo)
      }
      ada.book.saved(ada.book.made)
      bo.book.saved(bo.book.made)
      const whole = documentOf(updates)
      const lacking = Math.floor(random() * updates.length)

      const broken = documentOf(updates.filter((_update, at) => at !== lacking))

      expect(ledger.missingFrom(whole)).toEqual([])
      expect(fingerprintOf(whole)).toBe(fingerprintOf(ada.doc))
      expect(ledger.missingFrom(broken).length).toBeGreaterThan(0)
      expect(fingerprintOf(broken)).not.toBe(fingerprintOf(whole))
    }
  )
})

describe('a fingerprint', () => {
  test('is that of the content, whatever pieces it came in and was kept in', () => {
    const { ada } = people()
    for (let count = 0; count < 40; count++) ada.writer.edit()
    const inPieces = new Y.Doc({ gc: false })

    Y.applyUpdate(inPieces, Y.encodeStateAsUpdate(ada.doc))

    expect(fingerprintOf(inPieces)).toBe(fingerprintOf(ada.doc))
    expect(fingerprintOf(ada.doc)).toBe(fingerprintOf(copyOf(ada.doc)))
  })

  test('differs when only a deletion is missing, and when something waits for what never came', () => {
    const doc = new Y.Doc()
    doc.getText(textName).insert(0, 'one')
    const before = copyOf(doc)
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    doc.getText(textName).delete(0, 1)
    expect(fingerprintOf(before)).not.toBe(fingerprintOf(doc))

    doc.getText(textName).insert(2, 'a')
    doc.getText(textName).insert(3, 'b')
    const waiting = copyOf(before)
    Y.applyUpdate(waiting, updates[2] ?? new Uint8Array())

    expect(fingerprintOf(waiting)).not.toBe(fingerprintOf(before))
  })
})

function people(random: () => number = randomOf(1)) {
  const ledger = new Ledger()
  const person = (name: string): Person => {
    const doc = new Y.Doc()
    return { doc, book: ledger.follow(doc, name, network), writer: new Writer(doc, name, random) }
  }
  return { ledger, ada: person('Ada'), bo: person('Bo') }
}

function retractFirst({ doc }: Person): void {
  const receipts = doc.getMap(receiptsName)
  const act = () => {
    receipts.set('second', 'retract')
    receipts.delete('first')
  }
  doc.transact(act, { id: 'Ada-2', receipt: 'second', retracts: 'first' })
}

function deliver(from: Person, to: Person): void {
  Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), network)
}

function copyOf(doc: Y.Doc): Y.Doc {
  return documentOf([Y.encodeStateAsUpdate(doc)])
}

function documentOf(updates: readonly Uint8Array[]): Y.Doc {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return doc
}
