/** Work about things of a name: in order within a name, side by side otherwise, and bounded. */
import { expect, test } from 'vitest'
import { NamedWorkQueue, WorkQueue } from '../../src/base/work-queue.ts'

test('work of one name is done in order, and keeps that of others waiting only where too many are at it', async () => {
  const queue = new NamedWorkQueue({ atOnceMax: 2, waitingMax: 10 })
  const order: string[] = []
  const opens: (() => void)[] = []
  const work = (name: string) => async () => {
    order.push(name)
    await new Promise<void>(resolve => opens.push(resolve))
  }
  const turn = () => new Promise(resolve => setImmediate(resolve))

  const all = [
    queue.run('a', work('a1')),
    queue.run('a', work('a2')),
    queue.run('b', work('b1')),
    queue.run('c', work('c1'))
  ]
  await turn()
  const atOnce = [...order]
  for (let i = 0; i < 4; i++) {
    opens[i]?.()
    await turn()
  }
  await Promise.all(all)

  expect(atOnce).toEqual(['a1', 'b1'])
  expect(order).toEqual(['a1', 'b1', 'c1', 'a2'])
})

test('more than may wait are refused, whatever their names, and one that failed is over', async () => {
  const queue = new NamedWorkQueue({ atOnceMax: 1, waitingMax: 1 })
  const fail = () => Promise.reject(new Error('mine'))

  const results = await Promise.allSettled(['a', 'b', 'c'].map(name => queue.run(name, fail)))

  expect(results.map(each => (each.status === 'rejected' ? String(each.reason) : ''))).toEqual([
    'Error: mine',
    'Error: mine',
    expect.stringContaining('1 calls wait')
  ])
  await expect(queue.run('a', async () => 'next')).resolves.toBe('next')
})

test('only so much is under way at once, the rest follows in order, and what fails gives its place away', async () => {
  const queue = new WorkQueue({ atOnceMax: 2, waitingMax: 10 })
  const began: number[] = []
  const ends: ((isGood: boolean) => void)[] = []
  const work = (number: number) => () => {
    began.push(number)
    return new Promise<number>((resolve, reject) => {
      ends[number] = isGood => (isGood ? resolve(number) : reject(new Error(`${number}`)))
    })
  }
  const turn = () => new Promise(resolve => setImmediate(resolve))

  const all = Promise.allSettled([0, 1, 2, 3].map(number => queue.run(work(number))))
  await turn()
  const first = [...began]
  ends[1]?.(false)
  await turn()
  const second = [...began]
  ends[0]?.(true)
  ends[2]?.(true)
  await turn()
  ends[3]?.(true)

  expect(first).toEqual([0, 1])
  expect(second).toEqual([0, 1, 2])
  expect((await all).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  expect(began).toEqual([0, 1, 2, 3])
})

test('work that is done at once has its share of each turn of the event loop, and the rest waits for the next', async () => {
  const queue = new WorkQueue({ atOnceMax: 2, waitingMax: 10, whenFree: free => void setImmediate(free) })
  let done = 0
  const turn = () => new Promise(resolve => setImmediate(resolve))

  const all = Array.from({ length: 6 }, () => queue.run(async () => done++))
  const afterTurns: number[] = []
  for (let i = 0; i < 4; i++) {
    await turn()
    afterTurns.push(done)
  }
  await Promise.all(all)

  expect(afterTurns.slice(0, 3)).toEqual([2, 4, 6])
  expect(queue.isIdle).toBe(true)
})
