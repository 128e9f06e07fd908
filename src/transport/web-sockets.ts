/**
 * WebSockets by the package ws, as it lies in node_modules. The only place that imports it.
 *
 * Bun answers `import 'ws'` with an implementation of its own. Frames that are written to the stream under that one
 * are never finished when the kernel does not take them at once: 10 MB never arrive, and nobody is told. The files of
 * the package do well on Bun, so there they are loaded by their path.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import * as imported from 'ws'

type Package = Pick<typeof imported, 'WebSocket' | 'WebSocketServer'>

const isBun = process.versions.bun !== undefined

const { WebSocket, WebSocketServer } = isBun ? fromFiles() : imported

export { WebSocketServer }

/**
 * Whether it was made by a package ws whose stream may be written to. In Node that is every one with such a stream,
 * also of another copy of the package; on Bun only ours, as the application's own are Bun's.
 */
export function isOfPackage(webSocket: object): boolean {
  return !isBun || webSocket instanceof WebSocket
}

function fromFiles(): Package {
  const require = createRequire(import.meta.url)
  // A path is not replaced by Bun's own.
  return require(join(dirname(require.resolve('ws/package.json')), 'index.js')) as Package
}
