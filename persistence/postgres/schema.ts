/**
 * The tables, made and changed under a lock that all servers share. Changes only add: an older server goes on beside a
 * newer one. README.md says what each table holds.
 */
import { StoreError } from '../store.ts'
import type { Connections } from './connections.ts'
import type { PoolClient } from './driver.ts'

/** An attempt's number has so many values for each value of the sequence. With 2^33 of those they are exact in a double. */
const attemptsPerNumber = 2 ** 20

/**
 * SQL for the number of a new attempt: above those before it, and not given again when the database was put back, as the
 * sequence goes back with it. Else an attempt from before could mix its parts with those of another.
 */
export function newAttempt(schema: string): string {
  return `(nextval('${schema}.numbers') * ${attemptsPerNumber} + floor(random() * ${attemptsPerNumber})::bigint)`
}

/** SQL for a number above all attempts so far, and below all to come. */
export function attemptsSoFar(schema: string): string {
  return `(nextval('${schema}.numbers') * ${attemptsPerNumber} + ${attemptsPerNumber - 1})`
}

/** Each entry leads from the version that is its index to the next one. */
const migrations: readonly ((schema: string) => string)[] = [
  s => `
CREATE SEQUENCE ${s}.numbers;
CREATE TABLE ${s}.lanes (
  node bigint NOT NULL, lane int NOT NULL, batch bigint NOT NULL, seen timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (node, lane)) WITH (fillfactor = 20);
CREATE TABLE ${s}.documents (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, hash bytea NOT NULL UNIQUE, name bytea NOT NULL,
  incarnation bigint, last_sequence bigint NOT NULL DEFAULT 0, floor bigint NOT NULL DEFAULT 0,
  node bigint NOT NULL DEFAULT 0, batch bigint NOT NULL DEFAULT 0,
  generation bigint NOT NULL DEFAULT 0, parts int NOT NULL DEFAULT 0, merged_to bigint NOT NULL DEFAULT 0,
  collected_to bigint NOT NULL DEFAULT 0) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX documents_in_order ON ${s}.documents (substring(name FROM 1 FOR 512)) WHERE incarnation IS NOT NULL;
CREATE TABLE ${s}.records (
  document bigint NOT NULL, sequence bigint NOT NULL, node bigint NOT NULL, batch bigint NOT NULL,
  kept boolean NOT NULL DEFAULT false, record bytea NOT NULL, PRIMARY KEY (document, sequence));
ALTER TABLE ${s}.records ALTER record SET STORAGE EXTERNAL;
CREATE INDEX records_kept ON ${s}.records (document, sequence) WHERE kept;
CREATE TABLE ${s}.segments (
  document bigint NOT NULL, generation bigint NOT NULL, segment int NOT NULL, part int NOT NULL, bytes bytea NOT NULL,
  PRIMARY KEY (document, generation, segment, part));
ALTER TABLE ${s}.segments ALTER bytes SET STORAGE EXTERNAL;
CREATE TABLE ${s}.garbage (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, document bigint NOT NULL, generation_to bigint NOT NULL,
  sequence_to bigint NOT NULL, made timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE ${s}.set_aside (
  hash bytea NOT NULL, number bigint NOT NULL, name bytea NOT NULL, token bytea NOT NULL UNIQUE, size int NOT NULL,
  body bytea NOT NULL, PRIMARY KEY (hash, number));
ALTER TABLE ${s}.set_aside ALTER body SET STORAGE EXTERNAL;
CREATE TABLE ${s}.tombstones (
  hash bytea PRIMARY KEY, name bytea NOT NULL, time_ms float8 NOT NULL, bytes bytea NOT NULL);
CREATE TABLE ${s}.metadata (hash bytea PRIMARY KEY, name bytea NOT NULL, value bytea NOT NULL);
CREATE TABLE ${s}.leases (hash bytea PRIMARY KEY, holder bytea NOT NULL, until timestamptz NOT NULL);`,
  s => `
CREATE TABLE ${s}.set_aside_parts (
  token bytea NOT NULL, part int NOT NULL, bytes bytea NOT NULL, made timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (token, part));
ALTER TABLE ${s}.set_aside_parts ALTER bytes SET STORAGE EXTERNAL;
CREATE INDEX set_aside_parts_made ON ${s}.set_aside_parts (made);`,
  s => `
CREATE TABLE ${s}.histories (
  document bigint NOT NULL, incarnation bigint NOT NULL, id bigint NOT NULL, name bytea NOT NULL,
  generation bigint NOT NULL, released_to bigint NOT NULL, pins bigint[] NOT NULL, held bigint[] NOT NULL,
  hidden_to bigint NOT NULL, carried bigint[] NOT NULL, PRIMARY KEY (document, incarnation)) WITH (fillfactor = 50);
CREATE INDEX histories_in_order ON ${s}.histories (substring(name FROM 1 FOR 512));
CREATE TABLE ${s}.history_blobs (
  history bigint NOT NULL, number bigint NOT NULL, attempt bigint NOT NULL, parts int NOT NULL,
  PRIMARY KEY (history, number));
CREATE TABLE ${s}.history_parts (
  attempt bigint NOT NULL, number bigint NOT NULL, part int NOT NULL, bytes bytea NOT NULL,
  PRIMARY KEY (attempt, number, part));
ALTER TABLE ${s}.history_parts ALTER bytes SET STORAGE EXTERNAL;
CREATE TABLE ${s}.history_garbage (
  id bigint PRIMARY KEY, document bigint NOT NULL, history bigint NOT NULL, attempts bigint[] NOT NULL DEFAULT '{}',
  sequence_to bigint NOT NULL DEFAULT 0, is_taken boolean NOT NULL DEFAULT false,
  is_closed boolean NOT NULL DEFAULT false, made timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX history_garbage_made ON ${s}.history_garbage (made);
CREATE INDEX garbage_document ON ${s}.garbage (document);
${historyTrigger(s)}`,
  s => `
CREATE TABLE ${s}.marks (
  document bigint PRIMARY KEY, incarnation bigint, after bigint NOT NULL, value bytea NOT NULL DEFAULT '');`
]

/**
 * What checkpoints and deletions note as garbage is, of a document with a history, noted for the history, where only
 * servers look that know of histories. Here and not in the statements, because an older server goes on beside a newer one,
 * and its collector would remove what the history still needs. The schema is not written into the function: it may be
 * given another name.
 */
function historyTrigger(s: string): string {
  return `
CREATE FUNCTION ${s}.note_for_history() RETURNS trigger LANGUAGE plpgsql AS $body$
DECLARE has_history boolean;
BEGIN
  EXECUTE format('
    WITH noted AS (
      INSERT INTO %1$I.history_garbage (id, document, history, sequence_to, is_taken)
      SELECT nextval(''%1$I.numbers''), h.document, h.id, $2, true FROM %1$I.histories h WHERE h.document = $1)
    SELECT EXISTS (
      SELECT FROM %1$I.histories h JOIN %1$I.documents d ON d.id = h.document AND d.incarnation = h.incarnation
      WHERE h.document = $1)', TG_TABLE_SCHEMA)
  INTO has_history USING NEW.document, NEW.sequence_to;
  IF has_history THEN NEW.sequence_to := 0; END IF;
  RETURN NEW;
END $body$;
CREATE TRIGGER note_for_history BEFORE INSERT ON ${s}.garbage FOR EACH ROW WHEN (NEW.sequence_to > 0)
  EXECUTE FUNCTION ${s}.note_for_history();`
}

/** Makes or changes the tables; `mustExist`: rejects with STORE_MISSING where there are none. Also STORE_FORMAT. */
export async function prepareSchema(
  connections: Connections,
  schema: string,
  { mustExist }: { readonly mustExist: boolean }
): Promise<void> {
  await connections.patiently(() =>
    connections.session(async client => {
      if ((await readVersion(client, schema)) === migrations.length) return
      await client.query('BEGIN')
      try {
        await migrate(client, schema, mustExist)
        await client.query('COMMIT')
      } catch (error) {
        // The first error is the one to tell; a connection that is broken rolls back by itself.
        await client.query('ROLLBACK').catch(() => {})
        throw error
      }
    })
  )
}

async function migrate(client: PoolClient, schema: string, mustExist: boolean): Promise<void> {
  await client.query(
    "SELECT set_config('synchronous_commit', 'on', true), pg_advisory_xact_lock(hashtext($1))",
    [`y-chorus ${schema}`]
  )
  const version = await readVersion(client, schema)
  if (version === 0 && mustExist) {
    throw new StoreError('STORE_MISSING', `There is no store in the schema ${schema} of this database.`)
  }
  if (version > migrations.length) {
    const text = `The tables in ${schema} were made by a newer version (${version}, known are ${migrations.length})`
    throw new StoreError('STORE_FORMAT', text)
  }
  if (version === migrations.length) return
  if (version === 0) {
    await client.query(`CREATE SCHEMA IF NOT EXISTS ${schema}`)
    await client.query(`CREATE TABLE ${schema}.format (version int NOT NULL, probed timestamptz)`)
    await client.query(`INSERT INTO ${schema}.format (version) VALUES (0)`)
  }
  for (const migration of migrations.slice(version)) await client.query(migration(schema))
  await client.query(`UPDATE ${schema}.format SET version = ${migrations.length}`)
}

/** 0: there are no tables. Asked of the catalogue itself: `to_regclass` may answer from before we had the lock. */
async function readVersion(client: PoolClient, schema: string): Promise<number> {
  const found = await client.query(
    `SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE '"' || n.nspname || '"' = $1 AND c.relname = 'format'`,
    [schema]
  )
  if (found.rowCount === 0) return 0
  const { rows } = await client.query(`SELECT version FROM ${schema}.format`)
  return Number(rows[0]?.version ?? 0)
}
