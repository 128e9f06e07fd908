/** The packed package where the optional packages are not installed: what is missing is told of by name. */
import { expect, test } from 'vitest'
import { install, packedBuild } from '../support/package.ts'

const command = 'node_modules/y-chorus/dist/command.cjs'

test.each([
  [['--data', 'postgres://127.0.0.1/x'], 'npm install pg'],
  [['--data', 'postgres://127.0.0.1/x', '--bus', 'redis://127.0.0.1'], 'npm install ioredis'],
  [['--data', 'postgres://127.0.0.1/x', '--bus', 'nats://127.0.0.1'], 'npm install @nats-io/transport-node'],
  [['--data', 'postgres://127.0.0.1/x', '--bus', 'amqp://127.0.0.1'], 'npm install rabbitmq-client']
])('y-chorus %s says: %s', async (args, advice) => {
  const { run } = install(await packedBuild(), ['yjs'])

  const ended = run([process.execPath, command, '--port', '0', ...args])

  await expect(ended).rejects.toThrow(/ended with 1: y-chorus: [^\n]+\n$/)
  await expect(ended).rejects.toThrow(advice)
})
