/**
 * The rows of documents: a name has one from its first append on, for ever, so that no sequence number comes twice. A
 * name is found by its hash, because one of 1,000 characters does not fit into an index. What is known of it is kept in
 * memory and never trusted alone: statements compare the hash, for a restored database may give a number to another name.
 */
import { createHash } from 'node:crypto'
import { encodeName } from '../format.ts'
import { StoreError } from '../store.ts'
import type { Connections } from './connections.ts'

export type NameRow = { readonly id: string; readonly hash: Buffer }

export function hashOf(name: string): Buffer {
  return createHash('sha256').update(encodeName(name)).digest()
}

export class Names {
  readonly #connections: Connections
  readonly #schema: string
  readonly #rowsMax: number
  /** Least recently used first. */
  readonly #rows = new Map<string, NameRow>()

  constructor(connections: Connections, schema: string, rowsMax: number) {
    this.#connections = connections
    this.#schema = schema
    this.#rowsMax = rowsMax
  }

  /** The rows of these names, made where there are none. */
  async rows(names: readonly string[]): Promise<Map<string, NameRow>> {
    const found = new Map<string, NameRow>()
    const unknown: string[] = []
    for (const name of names) {
      const row = this.#rows.get(name)
      if (row === undefined) unknown.push(name)
      else found.set(name, row)
    }
    if (unknown.length > 0) await this.#make(unknown, found)
    for (const [name, row] of found) this.#keep(name, row)
    return found
  }

  forget(name: string): void {
    this.#rows.delete(name)
  }

  /** Two servers that make a row at once: neither may see the other's at first, so both ask again. */
  async #make(names: readonly string[], found: Map<string, NameRow>): Promise<void> {
    const byHash = new Map(names.map(name => [hashOf(name).toString('hex'), name]))
    for (let round = 0; byHash.size > 0; round++) {
      if (round === 10) throw new StoreError('STORE_FAILED', 'The row of a document cannot be made')
      // In one order everywhere, or two servers wait for each other.
      const hashes = [...byHash.keys()].sort().map(hash => Buffer.from(hash, 'hex'))
      const encoded = hashes.map(hash => encodeName(byHash.get(hash.toString('hex')) as string))
      const rows = await this.#connections.query(
        `WITH made AS (
           INSERT INTO ${this.#schema}.documents (hash, name) SELECT * FROM unnest($1::bytea[], $2::bytea[])
           ON CONFLICT DO NOTHING RETURNING id, hash)
         SELECT id, hash, set_config('synchronous_commit', 'on', true) FROM made
         UNION ALL SELECT id, hash, '' FROM ${this.#schema}.documents WHERE hash = ANY($1::bytea[])`,
        [hashes, encoded]
      )
      for (const { id, hash } of rows as { id: string; hash: Buffer }[]) {
        const key = hash.toString('hex')
        const name = byHash.get(key)
        if (name !== undefined) found.set(name, { id, hash })
        byHash.delete(key)
      }
    }
  }

  #keep(name: string, row: NameRow): void {
    this.#rows.delete(name)
    this.#rows.set(name, row)
    if (this.#rows.size <= this.#rowsMax) return
    for (const oldest of this.#rows.keys()) {
      this.#rows.delete(oldest)
      return
    }
  }
}
