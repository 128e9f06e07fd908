/**
 * Documents of a given size, as many small structs as edited ones have. Built once and kept in bench/.cache, as the
 * large ones take a while.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as Y from 'yjs'
import { Client } from './client.js'
import { delay, until } from './pace.js'
import { seeded } from './random.js'
import { generateSession } from './session.js'

const cache = fileURLToPath(new URL('../.cache', import.meta.url))
const version = 1
/** Up to here one edited text; beyond, pages of formatted paragraphs by many people. */
const textBytesMax = 512 * 1024
const words =
  'the of and a to in is you that it he was for on are as with his they at be this have from'.split(' ')

/** The document's whole state as one update. */
export function documentOf(bytes) {
  const file = `${cache}/document-${version}-${bytes}`
  if (existsSync(file)) return readFileSync(file)
  const doc = bytes <= textBytesMax ? editedText(bytes) : pages(bytes)
  const update = Y.encodeStateAsUpdate(doc)
  mkdirSync(cache, { recursive: true })
  writeFileSync(file, update)
  return update
}

function editedText(bytes) {
  const doc = new Y.Doc()
  doc.clientID = 77
  const text = doc.getText('text')
  const patches = generateSession(bytes, { seed: 3 })
  for (let i = 0; i < patches.length; i++) {
    const [position, deleted, inserted] = patches[i]
    if (deleted > 0) text.delete(position, deleted)
    else text.insert(position, inserted)
    if (i % 10_000 === 9_999 && Y.encodeStateAsUpdate(doc).length >= bytes) break
  }
  return doc
}

function pages(bytes) {
  const random = seeded(5)
  const doc = new Y.Doc()
  const fragment = doc.getXmlFragment('pages')
  let written = 0
  while (written < bytes) {
    doc.clientID = 1_000_000 + Math.floor(random() * 40)
    doc.transact(() => {
      const paragraph = new Y.XmlElement('paragraph')
      fragment.push([paragraph])
      const text = new Y.XmlText()
      paragraph.insert(0, [text])
      for (let i = 0; i < 40; i++) {
        const word = `${words[Math.floor(random() * words.length)]} `
        text.insert(Math.floor(random() * (text.length + 1)), word)
      }
      text.format(0, 5, { bold: true })
    })
    // Found by trying: what such a paragraph takes, encoded.
    written += 1_130
  }
  return doc
}

/** Puts a document into a room as a client that has it would, and waits until a joiner would be sent it. */
export async function plant({ port, dialect, room, update }) {
  let acks = 0
  const planter = new Client({ port, dialect, room, offline: update, onAck: () => acks++ })
  await planter.synced
  if (dialect.hasAcks) await until(() => acks > 0, { ms: 60_000, what: 'an acknowledgement' })
  const arrived = () => joinBytes({ port, dialect, room })
  for (let attempt = 0; (await arrived()) < update.length / 2; attempt++) {
    if (attempt > 200) throw new Error(`a document of ${update.length} bytes did not arrive`)
    await delay(100)
  }
  return planter
}

async function joinBytes({ port, dialect, room }) {
  const client = new Client({ port, dialect, room })
  await client.synced
  const { receivedBytes } = client
  client.close()
  return receivedBytes
}
