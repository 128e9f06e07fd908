/**
 * What a cluster survives: three servers as processes, a real PostgreSQL and a real broker, people who type, and one fault
 * after another. `npm test` runs a short form; this is all of it.
 *
 *   npm run faults                               every fault with each broker, a quarter of an hour
 *   npm run faults -- --broker nats              with one broker: redis, nats or rabbitmq
 *   npm run faults -- --fault "SIGKILL of a node"   only faults with these words in their name
 *   npm run faults -- --rounds 10 --seed 7       each fault ten times; what is left to chance begins at seed 7
 *   npm run faults -- --hops 10000               clients go from node to node so often, and nothing else
 *   npm run faults -- --short                    as short as in npm test
 *   npm run faults -- --list                     the names of the faults
 *
 * It prints what each fault cost: after how long the people had new words acknowledged (half of them, all of them), and how
 * long after its end everybody had seen a new word of everybody, and saw everybody who was there and nobody else. It fails
 * if anything that was acknowledged or seen is lost, doubled or out of order, if not all are equal in the end, if something
 * is shown that is not in the log, or if presence is wrong for 25 s.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { root, say } from './run.js'

const options = {
  broker: { type: 'string', default: '' },
  fault: { type: 'string', default: '' },
  rounds: { type: 'string', default: '1' },
  seed: { type: 'string' },
  hops: { type: 'string' },
  short: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false }
}

async function main(args) {
  const { values } = parseArgs({ args, options })
  if (values.help) return printUsage()
  if (values.list) return printFaults()
  const { broker, fault, rounds, seed = String(Math.floor(Math.random() * 2 ** 31)), hops } = values
  const files =
    hops === undefined ? ['test/cluster/faults.test.ts'] : ['test/cluster/three-nodes.test.ts', '-t', 'hops']
  say(`seed ${seed}`)
  const child = spawn(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...files], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      SEED: seed,
      CHORUS_ROUNDS: rounds,
      CHORUS_BROKER: broker,
      CHORUS_FAULT: fault,
      CHORUS_FAULTS: 'all',
      ...(values.short ? {} : { CHORUS_LONG: '1' }),
      ...(hops === undefined ? {} : { CHORUS_HOPS: hops })
    }
  })
  const [code] = await once(child, 'exit')
  process.exitCode = code ?? 1
}

/** They stand in the list by their names. */
async function printFaults() {
  const child = spawn(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'list', 'test/cluster/faults.test.ts'],
    {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, CHORUS_FAULTS: 'all' }
    }
  )
  await once(child, 'exit')
}

function printUsage() {
  const [usage = ''] = readFileSync(join(root, 'scripts/faults.js'), 'utf8').split('*/')
  process.stdout.write(usage.replaceAll(/^[ /]\*+ ?/gm, ''))
}

await main(process.argv.slice(2))
