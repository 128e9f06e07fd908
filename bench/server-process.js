/**
 * One measured server as a child process on its own core: its address, its CPU time from the operating system, its
 * memory after a forced collection, its end.
 */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { pinned } from './machine.js'
import { commandOf } from './servers/table.js'

const startMs = 30_000
const stopMs = 20_000
const tickMs = 10

export async function startServer(server, { data, core = 1 }) {
  const [command, ...parameters] = pinned(commandOf(server, data), core)
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const running = new ServerProcess(child)
  try {
    await running.listening
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  return running
}

class ServerProcess {
  listening
  port = 0
  #child
  #exited
  #errors = ''
  #questions = new Map()
  #lastQuestion = 0

  constructor(child) {
    this.#child = child
    this.#exited = new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
    child.stderr.on('data', data => {
      this.#errors = (this.#errors + data).slice(-4000)
    })
    child.on('message', ({ id, answer }) => {
      this.#questions.get(id)?.(answer)
      this.#questions.delete(id)
    })
    this.listening = this.#untilListening()
  }

  get pid() {
    return this.#child.pid
  }

  /** The last lines it wrote to standard error. */
  get errors() {
    return this.#errors
  }

  /** CPU time of all its threads since it started, in milliseconds. */
  cpuMs() {
    return cpuMsOf(this.pid)
  }

  /** `kept`: heap and external after a forced collection; `rss`: resident, both in bytes. */
  memory() {
    return this.#ask('memory')
  }

  watchStalls() {
    return this.#ask('watchStalls')
  }

  stalls() {
    return this.#ask('stalls')
  }

  async stop() {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopMs)
    const end = await this.#exited
    clearTimeout(timer)
    return end
  }

  async kill() {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  #ask(ask) {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastQuestion
      this.#questions.set(id, resolve)
      this.#exited.then(() => reject(new Error(`the server has ended: ${this.#errors}`)))
      this.#child.send({ id, ask })
    })
  }

  #untilListening() {
    let output = ''
    return new Promise((resolve, reject) => {
      const fail = why => reject(new Error(`the server did not start (${why}): ${this.#errors}`))
      const timer = setTimeout(() => fail('timeout'), startMs)
      this.#exited.then(({ code }) => fail(`exit code ${code}`))
      this.#child.once('error', error => fail(error.message))
      this.#child.stdout.on('data', data => {
        output = (output + data).slice(-4000)
        const match = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(output)
        if (match === null || this.port !== 0) return
        this.port = Number(match[1])
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

/**
 * User and system time of a process. `schedstat` counts nanoseconds but forgets threads that ended; `stat` counts
 * ticks of 10 ms and forgets nothing.
 */
export function cpuMsOf(pid) {
  const inTicks = cpuTicksOf(pid) * tickMs
  let inNanoseconds = 0
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      inNanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0])
    }
  } catch {
    // A kernel without schedstat, or a thread that ended while we read.
    return inTicks
  }
  const precise = inNanoseconds / 1e6
  return Math.abs(inTicks - precise) > 3 * tickMs ? inTicks : precise
}

function cpuTicksOf(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name, in parentheses, may contain spaces; fields are counted from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}
