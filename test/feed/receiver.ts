/** A webhook receiver that can be away, and what it was told. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'
import type { FeedEvent } from '../../outlets/index.ts'

export const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

export type Told = FeedEvent & { readonly content?: string }

export type Receiver = {
  readonly port: number
  readonly url: string
  /** What has come with a signature that the library verifies, in order, answered with 2xx. */
  readonly told: Told[]
  /** What it answers, until it is set again. */
  answer: (event: Told) => number
  /** Ends it at once: nobody listens. */
  leave(): Promise<void>
  /** Listens again, at the same port. */
  comeBack(): Promise<void>
}

/** Requests whose signature does not verify are answered with 400, and not told. */
export async function startReceiver(): Promise<Receiver> {
  const webhook = new Webhook(secret)
  let server: Server | null = null
  const told: Told[] = []
  const listen = async (port: number) => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const status = take(Buffer.concat(chunks).toString(), request.headers)
        response.writeHead(status, status >= 300 && status < 400 ? { location: '/elsewhere' } : {}).end()
      })
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const take = (body: string, headers: NodeJS.Dict<string | string[]>): number => {
    try {
      webhook.verify(body, headers as Record<string, string>)
    } catch {
      return 400
    }
    const event = JSON.parse(body) as Told
    const status = receiver.answer(event)
    if (status >= 200 && status < 300) told.push(event)
    return status
  }
  const leave = async () => {
    if (server === null) return
    const closed = once(server, 'close')
    server.closeAllConnections()
    server.close()
    server = null
    await closed
  }
  await listen(0)
  const { port } = (server as unknown as Server).address() as AddressInfo
  const receiver: Receiver = {
    port,
    url: `http://127.0.0.1:${port}/hook`,
    told,
    answer: () => 204,
    leave,
    comeBack: () => listen(port)
  }
  onTestFinished(leave)
  return receiver
}

/** How far an event says that its document had come, within its life. */
export function positionOf({ version }: FeedEvent): number {
  return Number(version?.split('.')[1])
}
