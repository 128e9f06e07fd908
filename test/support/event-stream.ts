/** A reader of `text/event-stream` as EventSource is one: it comes back after a cut, with the id of the last event. */
export type StreamEvent = { readonly id: string; readonly event: string; readonly data: unknown }

export class EventReader {
  readonly events: StreamEvent[] = []
  lastEventId = ''
  /** Statuses of its requests, one for each connection. */
  readonly statuses: number[] = []
  readonly #url: () => string
  readonly #headers: Readonly<Record<string, string>>
  #leave = new AbortController()
  #isOver = false
  #changed: () => void = () => {}

  /** `url` is asked for at each connection: a server may come back elsewhere. */
  constructor(url: () => string, headers: Readonly<Record<string, string>> = {}) {
    this.#url = url
    this.#headers = headers
    void this.#run()
  }

  /** The text type `name`, as the events say it. */
  text(name: string): string {
    let text = ''
    for (const { event, data } of this.events) {
      if (event === 'document') text = deltaText('', (data as Record<string, Delta>)[name] ?? [])
      if (event !== 'change') continue
      for (const change of (data as { changes: { type: string; delta: Delta }[] }).changes) {
        if (change.type === name) text = deltaText(text, change.delta)
      }
    }
    return text
  }

  async until(what: (reader: EventReader) => boolean, said: string, patienceMs = 60_000): Promise<void> {
    const late = Date.now() + patienceMs
    while (!what(this)) {
      if (Date.now() > late)
        throw new Error(`waited for: ${said}; got ${JSON.stringify(this.events).slice(-500)}`)
      await new Promise<void>(resolve => {
        this.#changed = resolve
        setTimeout(resolve, 200)
      })
    }
  }

  /** Cuts the connection; it comes back. */
  cut(): void {
    this.#leave.abort()
  }

  close(): void {
    this.#isOver = true
    this.#leave.abort()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      this.#leave = new AbortController()
      const last: Record<string, string> =
        this.lastEventId === '' ? {} : { 'last-event-id': this.lastEventId }
      try {
        const headers = { ...this.#headers, ...last }
        const response = await fetch(this.#url(), { headers, signal: this.#leave.signal })
        this.statuses.push(response.status)
        this.#changed()
        // As EventSource does.
        if (response.status !== 200 || response.body === null) return
        await this.#read(response.body)
      } catch {
        // A cut, or a server that is not there yet.
      }
      if (!this.#isOver) await new Promise(resolve => setTimeout(resolve, 30))
    }
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of body) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n\n')
      rest = parts.pop() ?? ''
      for (const part of parts) this.#take(part)
    }
  }

  #take(part: string): void {
    const fields = Object.fromEntries(
      part.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
    )
    if (fields.data === undefined) return
    if (fields.id !== undefined) this.lastEventId = fields.id
    this.events.push({ id: fields.id ?? '', event: fields.event ?? '', data: JSON.parse(fields.data) })
    this.#changed()
  }
}

type Delta = readonly { retain?: number; insert?: string; delete?: number }[]

function deltaText(before: string, delta: Delta): string {
  let at = 0
  let text = ''
  for (const { retain, insert, delete: removed } of delta) {
    if (retain !== undefined) {
      text += before.slice(at, at + retain)
      at += retain
    }
    if (insert !== undefined) text += insert
    if (removed !== undefined) at += removed
  }
  return text + before.slice(at)
}
