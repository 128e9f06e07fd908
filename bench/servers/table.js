/** The servers side by side: how each is started, which wire it speaks, what it can do. */
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hocuspocus, yWebsocket } from '../load/wire.js'

const here = name => fileURLToPath(new URL(name, import.meta.url))
const node24 = here('../node_modules/node/bin/node')

/** Where the load of one client, or of one document, is all there is. */
const raised = [
  'messagesPerSecondMax',
  'receivedBytesPerSecondMax',
  'roomMessagesPerSecondMax',
  'roomBytesPerSecondMax'
].flatMap(name => ['--limit', `${name}=${2 ** 30}`])

/** `family`: what `--servers` names. `arguments_(data)`: after the node binary and the hook. */
const table = {
  chorus: {
    family: 'chorus',
    title: 'Chorus',
    dialect: yWebsocket,
    hasDocuments: true,
    isDurable: true,
    program: data => [here('../../dist/command.cjs'), '--port', '0', '--data', data]
  },
  'chorus-hocuspocus': {
    family: 'chorus',
    title: 'Chorus, Hocuspocus clients',
    dialect: hocuspocus,
    hasDocuments: true,
    isDurable: true,
    program: data => [here('../../dist/command.cjs'), '--port', '0', '--data', data]
  },
  'chorus-raised': {
    family: 'chorus',
    title: 'Chorus, limits of rates raised',
    dialect: yWebsocket,
    hasDocuments: true,
    isDurable: true,
    program: data => [...table.chorus.program(data), ...raised]
  },
  relay: {
    family: 'relay',
    title: 'bare relay',
    dialect: yWebsocket,
    program: () => [here('relay.js')]
  },
  'relay-window': {
    family: 'relay',
    title: 'bare relay, 10 ms window',
    dialect: yWebsocket,
    program: () => [here('relay.js'), '--window', '10']
  },
  'y-websocket': {
    family: 'y-websocket',
    title: 'y-websocket-server (memory)',
    dialect: yWebsocket,
    hasDocuments: true,
    isPeer: true,
    program: () => [here('y-websocket.js')]
  },
  'y-leveldb': {
    family: 'y-websocket',
    title: 'y-websocket-server + y-leveldb',
    dialect: yWebsocket,
    hasDocuments: true,
    isDurable: true,
    isPeer: true,
    program: data => [here('y-websocket.js'), '--data', data]
  },
  hocuspocus: {
    family: 'hocuspocus',
    title: 'Hocuspocus (memory)',
    dialect: hocuspocus,
    hasDocuments: true,
    isPeer: true,
    node: node24,
    program: () => [here('hocuspocus.js')]
  },
  'hocuspocus-sqlite': {
    family: 'hocuspocus',
    title: 'Hocuspocus + SQLite',
    dialect: hocuspocus,
    hasDocuments: true,
    isDurable: true,
    isPeer: true,
    node: node24,
    program: data => [here('hocuspocus.js'), '--data', join(data, 'documents.sqlite')]
  }
}

export const servers = Object.fromEntries(
  Object.entries(table).map(([name, server]) => [
    name,
    { name, hasDocuments: false, isDurable: false, isPeer: false, node: process.execPath, ...server }
  ])
)

export const families = [...new Set(Object.values(servers).map(({ family }) => family))]

/** What `spawn` gets, the data directory made. */
export function commandOf(server, data) {
  if (!existsSync(data)) mkdirSync(data, { recursive: true })
  return [server.node, '--import', here('hook.js'), ...server.program(data)]
}
