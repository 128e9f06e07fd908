/** The application's own server: whatever a test wants it to answer, over real HTTP. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export type Application = {
  readonly url: string
  /** How many requests have come. */
  readonly count: () => number
  /** No connection is taken from now on. */
  stop(): Promise<void>
}

type Answering = (body: unknown, request: IncomingMessage, response: ServerResponse) => void

/** Stopped after the test. */
export async function startApplication(answer: Answering): Promise<Application> {
  let count = 0
  const httpServer = createServer((request, response) => {
    count++
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      answer(text === '' ? null : JSON.parse(text), request, response)
    })
  })
  await new Promise<void>(resolve => httpServer.listen(0, '127.0.0.1', resolve))
  const { port } = httpServer.address() as AddressInfo
  const stop = () =>
    new Promise<void>(resolve => {
      httpServer.close(() => resolve())
      httpServer.closeAllConnections()
    })
  onTestFinished(stop)
  return { url: `http://127.0.0.1:${port}/`, count: () => count, stop }
}

export function answerJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
