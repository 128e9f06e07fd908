/** A mock cluster of librdkafka, which real clients talk to. It lives as long as the standard input of its program is open. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { findService } from './service.ts'

export const kcatPath = findService('kcat', ['/usr/bin/kcat', '/usr/local/bin/kcat'])

export type KafkaMock = { readonly brokers: string; stop(): Promise<void> }

export async function startKafkaMock(): Promise<KafkaMock> {
  const args = ['-P', '-b', 'localhost:1', '-t', 't', '-X', 'test.mock.num.brokers=1', '-d', 'mock']
  const child: ChildProcess = spawn(kcatPath ?? '', args, { stdio: ['pipe', 'ignore', 'pipe'] })
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream })
  const brokers = await new Promise<string>((resolve, reject) => {
    lines.on('line', line => {
      const found = /bootstrap\.servers=(\S+)/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error('kcat ended before it said where its brokers are')))
  })
  const stop = async () => {
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  return { brokers, stop }
}
