/**
 * Removes what nobody needs any more: replaced records and checkpoints, attempts that came to nothing, deleted documents,
 * rows of servers that are gone. Only after a grace: longer than a batch may be unresolved and than anybody catches up.
 * Each step is one statement, and locks nothing that appends need for longer than a moment.
 */
import type { Connections, Row } from './connections.ts'
import type { Lanes } from './lanes.ts'

export type CollectingParts = {
  readonly connections: Connections
  readonly lanes: Lanes
  readonly schema: string
  readonly graceMs: number
  /** Whether it is this server's turn: one at a time is enough. */
  readonly hasTurn: () => Promise<boolean>
  readonly isClosing: () => boolean
}

const notesMax = 200
const recordsStep = 2_000
const partsStep = 16
/** A lane of which nobody was seen for so long is of a server that is gone. */
const laneDays = 7

/** Resolves to the number of notes that are done with. Rejects with a StoreError; what is left stays noted. */
export async function collect(parts: CollectingParts): Promise<number> {
  const { connections, lanes, schema: s, graceMs, hasTurn } = parts
  await lanes.touch()
  if (!(await hasTurn())) return 0
  await connections.query(`DELETE FROM ${s}.lanes WHERE seen < now() - $1 * interval '1 day'`, [laneDays])
  await connections.query(`DELETE FROM ${s}.leases WHERE until < clock_timestamp() - interval '1 day'`, [])
  await connections.query(
    `DELETE FROM ${s}.set_aside_parts p WHERE made <= clock_timestamp() - $1::float8 * interval '1 millisecond'
     AND NOT EXISTS (SELECT FROM ${s}.set_aside e WHERE e.token = p.token)`,
    [graceMs]
  )
  const notes = await connections.query(
    `SELECT id, document, generation_to, sequence_to FROM ${s}.garbage
     WHERE made <= clock_timestamp() - $1::float8 * interval '1 millisecond' ORDER BY made LIMIT $2`,
    [graceMs, notesMax]
  )
  let done = 0
  for (const note of notes) {
    if (parts.isClosing()) break
    await collectNote(parts, note)
    done++
  }
  return done
}

async function collectNote({ connections, schema: s, isClosing }: CollectingParts, note: Row): Promise<void> {
  const { id, document, generation_to: generation, sequence_to: sequence } = note
  // From here on no attempt up to this one can become the checkpoint. Waits for one that is becoming it.
  await connections.query(
    `UPDATE ${s}.documents SET collected_to = greatest(collected_to, $2::bigint) WHERE id = $1`,
    [document, generation]
  )
  const parts = `
    DELETE FROM ${s}.segments sg USING (
      SELECT x.ctid FROM ${s}.segments x JOIN ${s}.documents d ON d.id = x.document
      WHERE x.document = $1 AND x.generation <= $2 AND x.generation <> d.generation LIMIT ${partsStep}) AS step
    WHERE sg.ctid = step.ctid RETURNING 1`
  while (!isClosing() && (await connections.query(parts, [document, generation])).length > 0);
  const records = `
    DELETE FROM ${s}.records r USING (
      SELECT x.document, x.sequence FROM ${s}.records x JOIN ${s}.documents d ON d.id = x.document
      WHERE x.document = $1 AND x.sequence <= $2 AND (NOT x.kept OR x.sequence <= d.floor)
      ORDER BY x.sequence LIMIT ${recordsStep}) AS step
    WHERE r.document = step.document AND r.sequence = step.sequence RETURNING 1`
  while (!isClosing() && (await connections.query(records, [document, sequence])).length > 0);
  if (!isClosing()) await connections.query(`DELETE FROM ${s}.garbage WHERE id = $1`, [id])
}
