/**
 * Removes what nobody needs any more: replaced records and checkpoints, attempts that came to nothing, deleted documents,
 * what histories have let go, rows of servers that are gone. Only after a grace: longer than a batch may be unresolved and
 * than anybody catches up. Each step is one statement, and locks nothing that appends need for longer than a moment.
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
/** Each of at most 8 MiB. */
const partsStep = 16
const blobsStep = 64
/** A lane of which nobody was seen for so long is of a server that is gone. */
const laneDays = 7

const graceOver = (column: string) => `${column} <= clock_timestamp() - $1::float8 * interval '1 millisecond'`

/** Resolves to the number of notes that are done with. Rejects with a StoreError; what is left stays noted. */
export async function collect(parts: CollectingParts): Promise<number> {
  const { connections, lanes, schema: s, graceMs, hasTurn } = parts
  await lanes.touch()
  if (!(await hasTurn())) return 0
  await connections.query(`DELETE FROM ${s}.lanes WHERE seen < now() - $1 * interval '1 day'`, [laneDays])
  await connections.query(`DELETE FROM ${s}.leases WHERE until < clock_timestamp() - interval '1 day'`, [])
  await connections.query(
    `DELETE FROM ${s}.set_aside_parts p WHERE ${graceOver('made')}
     AND NOT EXISTS (SELECT FROM ${s}.set_aside e WHERE e.token = p.token)`,
    [graceMs]
  )
  const garbage = `SELECT id, document, generation_to, sequence_to FROM ${s}.garbage
    WHERE ${graceOver('made')} ORDER BY made LIMIT $2`
  const ofHistories = `SELECT * FROM ${s}.history_garbage WHERE ${graceOver('made')} ORDER BY made LIMIT $2`
  return (
    (await collectNotes(parts, { text: garbage, one: collectNote })) +
    (await collectNotes(parts, { text: ofHistories, one: collectHistoryNote }))
  )
}

type Notes = {
  readonly text: string
  readonly one: (parts: CollectingParts, note: Row) => Promise<void>
}

/** Page by page, as long as it is this server's turn: there may be many documents. */
async function collectNotes(parts: CollectingParts, { text, one }: Notes): Promise<number> {
  for (let done = 0; ; ) {
    const notes = await parts.connections.query(text, [parts.graceMs, notesMax])
    for (const note of notes) {
      if (parts.isClosing()) return done
      await one(parts, note)
      done++
    }
    if (notes.length < notesMax || !(await parts.hasTurn())) return done
  }
}

/** In steps, until one has removed less than it may. */
async function inSteps(
  { connections, isClosing }: CollectingParts,
  step: { readonly text: string; readonly values: readonly unknown[]; readonly most: number }
): Promise<void> {
  while (!isClosing() && (await connections.query(step.text, step.values)).length >= step.most);
}

async function collectNote(parts: CollectingParts, note: Row): Promise<void> {
  const { connections, schema: s, isClosing } = parts
  const { id, document, generation_to: generation } = note
  // From here on no attempt up to this one can become the checkpoint. Waits for one that is becoming it.
  await connections.query(
    `UPDATE ${s}.documents SET collected_to = greatest(collected_to, $2::bigint) WHERE id = $1`,
    [document, generation]
  )
  const text = `
    DELETE FROM ${s}.segments sg USING (
      SELECT x.ctid FROM ${s}.segments x JOIN ${s}.documents d ON d.id = x.document
      WHERE x.document = $1 AND x.generation <= $2 AND x.generation <> d.generation LIMIT ${partsStep}) AS step
    WHERE sg.ctid = step.ctid RETURNING 1`
  await inSteps(parts, { text, values: [document, generation], most: partsStep })
  await collectRecords(parts, note)
  if (!isClosing()) await connections.query(`DELETE FROM ${s}.garbage WHERE id = $1`, [id])
}

/**
 * Records up to the note's that have been replaced, of those of a history what it does not need; and all of lives that are
 * over. README.md says what a history needs.
 */
async function collectRecords(parts: CollectingParts, { document, sequence_to: to }: Row): Promise<void> {
  if (Number(to) === 0) return
  const s = parts.schema
  const text = `
    DELETE FROM ${s}.records r USING (
      SELECT x.document, x.sequence
      FROM ${s}.documents d LEFT JOIN ${s}.histories h ON h.document = d.id AND h.incarnation = d.incarnation
      JOIN ${s}.records x ON x.document = d.id
      WHERE d.id = $1 AND x.sequence <= $2
        AND x.sequence <= CASE WHEN h.id IS NULL THEN $2 ELSE greatest(d.floor, h.released_to, h.hidden_to) END
        AND (x.sequence <= d.floor OR NOT x.kept AND x.sequence <= d.merged_to AND (h.id IS NULL
          OR NOT x.sequence = ANY(h.held) AND (x.sequence <= h.released_to OR NOT x.sequence = ANY(h.carried))))
      ORDER BY x.sequence LIMIT ${recordsStep}) AS step
    WHERE r.document = step.document AND r.sequence = step.sequence RETURNING 1`
  await inSteps(parts, { text, values: [document, to], most: recordsStep })
}

/** A note of a history: of an attempt, of what one has replaced, or of a checkpoint or deletion of its document. */
async function collectHistoryNote(parts: CollectingParts, note: Row): Promise<void> {
  const { connections, schema: s, graceMs, isClosing } = parts
  if (note.is_taken !== true) {
    // From here on the attempt is not taken. Waits for one that is being taken: then its note begins anew.
    const closed = await connections.query(
      `UPDATE ${s}.history_garbage SET is_closed = true WHERE ${graceOver('made')} AND id = $2 RETURNING 1`,
      [graceMs, note.id]
    )
    if (closed.length === 0) return
  }
  await collectHistory(parts, note)
  const attempts = note.is_taken === true ? note.attempts : [note.id]
  const text = `
    DELETE FROM ${s}.history_parts p USING (
      SELECT x.ctid FROM ${s}.history_parts x WHERE x.attempt = ANY($1::bigint[]) AND NOT EXISTS (
        SELECT FROM ${s}.history_blobs b WHERE b.history = $2 AND b.number = x.number AND b.attempt = x.attempt)
      LIMIT ${partsStep}) AS step
    WHERE p.ctid = step.ctid RETURNING 1`
  await inSteps(parts, { text, values: [attempts, note.history], most: partsStep })
  await collectRecords(parts, note)
  if (!isClosing()) await connections.query(`DELETE FROM ${s}.history_garbage WHERE id = $1`, [note.id])
}

/** All of a history that was dropped, or whose life is over. */
async function collectHistory(parts: CollectingParts, { document, history }: Row): Promise<void> {
  const s = parts.schema
  const [found] = await parts.connections.query(
    `WITH over AS (
       DELETE FROM ${s}.histories h WHERE h.document = $1 AND h.id = $2 AND NOT EXISTS (
         SELECT FROM ${s}.documents d WHERE d.id = h.document AND d.incarnation = h.incarnation) RETURNING 1)
     SELECT EXISTS (SELECT FROM ${s}.histories h WHERE h.document = $1 AND h.id = $2)
       AND NOT EXISTS (SELECT FROM over) AS "isThere"`,
    [document, history]
  )
  if (found?.isThere === true) return
  while (!parts.isClosing()) {
    const blobs = await parts.connections.query(
      `SELECT number, attempt FROM ${s}.history_blobs WHERE history = $1 ORDER BY number LIMIT ${blobsStep}`,
      [history]
    )
    if (blobs.length === 0) return
    await removeBlobs(parts, history, blobs)
  }
}

async function removeBlobs(parts: CollectingParts, history: unknown, blobs: readonly Row[]): Promise<void> {
  const s = parts.schema
  const numbers = blobs.map(({ number }) => number)
  const text = `
    DELETE FROM ${s}.history_parts p USING (
      SELECT x.ctid FROM unnest($1::bigint[], $2::bigint[]) AS b(attempt, number)
      JOIN ${s}.history_parts x ON x.attempt = b.attempt AND x.number = b.number LIMIT ${partsStep}) AS step
    WHERE p.ctid = step.ctid RETURNING 1`
  await inSteps(parts, { text, values: [blobs.map(({ attempt }) => attempt), numbers], most: partsStep })
  if (parts.isClosing()) return
  await parts.connections.query(
    `DELETE FROM ${s}.history_blobs WHERE history = $1 AND number = ANY($2::bigint[])`,
    [history, numbers]
  )
}
