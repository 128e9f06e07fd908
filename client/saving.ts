/**
 * Which of this client's changes are on the server's disk. Both sides count the messages with changes of a connection from 1
 * (PROTOCOL.md, AK2); here it is kept what each of them covers. A connection that ends takes the numbers with it: the
 * SyncStep2 of the next one covers everything again.
 */

/** A message that is not acknowledged. `made`: so many changes had been made by then. */
type Sent = { readonly number: number; readonly made: number; readonly kind: 'update' | 'everything' }

type Wait = { readonly made: number; readonly resolve: () => void; readonly reject: (error: Error) => void }

export class Saving {
  #made = 0
  #saved = 0
  #number = 0
  #sent: Sent[] = []
  /** The last message that was not taken; null once everything was sent again and taken. */
  #refusedNumber: number | null = null
  #waits: Wait[] = []

  get made(): number {
    return this.#made
  }

  get pending(): number {
    return this.#made - this.#saved
  }

  get isRefused(): boolean {
    return this.#refusedNumber !== null && this.pending > 0
  }

  /** A change was made here. */
  changed(): void {
    this.#made++
  }

  /** A new connection: numbers begin at 1. */
  begin(): void {
    this.#number = 0
    this.#sent = []
    this.#refusedNumber = null
  }

  /** A message with changes is about to be sent. `everything`: a SyncStep2, which holds all that was made until now. */
  sending(kind: Sent['kind']): void {
    this.#number++
    this.#sent.push({ number: this.#number, made: this.#made, kind })
  }

  /** The server has none of its own: whatever was sent is as good as it gets. */
  forget(): void {
    this.#sent = []
    this.#saved = this.#made
  }

  /** So many are on disk. Returns whether that is news. */
  acknowledged(count: number): boolean {
    const before = this.#saved
    let passed = 0
    for (const each of this.#sent) {
      if (each.number > count) break
      this.#passed(each)
      passed++
    }
    this.#sent.splice(0, passed)
    if (this.#saved > before) this.#settle()
    return this.#saved > before
  }

  notTaken(number: number): void {
    this.#refusedNumber = number
  }

  #passed({ number, made, kind }: Sent): void {
    if (number === this.#refusedNumber) return
    if (kind === 'everything') this.#refusedNumber = null
    // What follows one that was not taken is not the whole.
    if (this.#refusedNumber === null) this.#saved = made
  }

  /** Resolves when everything that was made by now is on disk. Rejects with what `failed` is called with. */
  settled(): Promise<void> {
    if (this.pending === 0) return Promise.resolve()
    const made = this.#made
    return new Promise((resolve, reject) => this.#waits.push({ made, resolve, reject }))
  }

  failed(error: Error): void {
    const waits = this.#waits
    this.#waits = []
    for (const { reject } of waits) reject(error)
  }

  #settle(): void {
    const done = this.#waits.filter(({ made }) => made <= this.#saved)
    this.#waits = this.#waits.filter(({ made }) => made > this.#saved)
    for (const { resolve } of done) resolve()
  }
}
