import type { EntryKind, HeardNode, NodeRecord, NodeRefusal, NodeRegistry } from '@gatehouse/domain';
import type { Clock } from '@gatehouse/kernel';
import type pg from 'pg';
import type { Int8 } from './sql.js';

interface NodeRow {
  readonly node_id: string;
  readonly role: NodeRecord['role'];
  readonly epoch: Int8;
  readonly software_version: string;
  readonly labels: Record<string, string>;
  readonly admin_url: string | null;
  readonly connected: boolean;
  readonly last_seen_at_ms: Int8;
  readonly acked_revision: Int8;
  readonly acked_at_ms: Int8 | null;
  readonly protocol: number;
  readonly snapshot_formats: number[];
  readonly turned_away: string | null;
}

/** Milliseconds since the Unix epoch, on the clock of the database. */
const DATABASE_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/**
 * What a stream of an older epoch of a node says is ignored: the node has started anew since.
 *
 * When a node was last seen is kept on the database's clock and told on the caller's: control planes whose clocks differ, or are set to
 * another time while they run, must not take each other's nodes for dead.
 */
export class PostgresNodes implements NodeRegistry {
  constructor(
    private readonly pool: pg.Pool,
    private readonly clock: Clock,
  ) {}

  connected(node: NodeRecord): Promise<void> {
    return this.#put(node, 'acked_revision = excluded.acked_revision, acked_at_ms = excluded.acked_at_ms');
  }

  turnedAway(node: NodeRecord): Promise<void> {
    return this.#put(node, 'acked_revision = nodes.acked_revision');
  }

  async #put(node: NodeRecord, acknowledgement: string): Promise<void> {
    await this.pool.query(
      `INSERT INTO nodes (node_id, role, epoch, software_version, labels, admin_url, connected, last_seen_at_ms, acked_revision, acked_at_ms,
         protocol, snapshot_formats, turned_away)
       VALUES ($1, $2, $3, $4, $5, $6, $7, ${DATABASE_MS} - $8, $9, $10, $11, $12, $13)
       ON CONFLICT (node_id) DO UPDATE SET
         role = excluded.role, epoch = excluded.epoch, software_version = excluded.software_version, labels = excluded.labels,
         admin_url = excluded.admin_url, connected = excluded.connected, last_seen_at_ms = excluded.last_seen_at_ms,
         protocol = excluded.protocol, snapshot_formats = excluded.snapshot_formats, turned_away = excluded.turned_away,
         ${acknowledgement}
       WHERE nodes.epoch <= excluded.epoch`,
      [
        node.nodeId,
        node.role,
        node.epoch,
        node.softwareVersion,
        JSON.stringify(node.labels),
        node.adminUrl,
        node.connected,
        this.#ageOf(node.lastSeenAtMs),
        node.ackedRevision,
        node.ackedAtMs,
        node.protocol,
        node.snapshotFormats,
        node.turnedAway,
      ],
    );
  }

  async heard(nodes: readonly HeardNode[]): Promise<void> {
    // A refusal ends when the node has acknowledged a later revision of the entry, or the entry is forgotten.
    await this.pool.query({
      name: 'gatehouse_nodes_heard',
      text: `WITH heard AS (
          SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
            AS heard (node_id, epoch, revision, at_ms, age_ms)
        ), node AS (
          UPDATE nodes SET
            connected = true,
            last_seen_at_ms = ${DATABASE_MS} - heard.age_ms,
            acked_at_ms = CASE WHEN acked_revision <= heard.revision THEN heard.at_ms ELSE acked_at_ms END,
            acked_revision = greatest(acked_revision, heard.revision)
          FROM heard WHERE nodes.node_id = heard.node_id AND nodes.epoch = heard.epoch
          RETURNING nodes.node_id, heard.revision
        )
        DELETE FROM node_refusals AS refusal USING node
        WHERE refusal.node_id = node.node_id AND node.revision IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM manifest_entries AS entry
          WHERE entry.kind = refusal.kind AND entry.id = refusal.entry_id
            AND (entry.revision <= refusal.revision OR entry.revision > node.revision))`,
      values: [
        nodes.map(({ nodeId }) => nodeId),
        nodes.map(({ epoch }) => epoch),
        nodes.map(({ revision }) => revision),
        nodes.map(({ atMs }) => atMs),
        nodes.map(({ atMs }) => this.#ageOf(atMs)),
      ],
    });
  }

  async refused({ nodeId, kind, entryId, revision, reason, atMs }: NodeRefusal): Promise<void> {
    await this.pool.query(
      `INSERT INTO node_refusals (node_id, kind, entry_id, revision, reason, at_ms)
       SELECT node_id, $2, $3, $4, $5, $6 FROM nodes WHERE node_id = $1
       ON CONFLICT (node_id, kind, entry_id) DO UPDATE SET
         revision = excluded.revision, reason = excluded.reason, at_ms = excluded.at_ms
       WHERE node_refusals.revision <= excluded.revision`,
      [nodeId, kind, entryId, revision, reason.replaceAll('\0', ''), atMs],
    );
  }

  async disconnected(nodeId: string, epoch: number, atMs: number): Promise<void> {
    await this.#changed(nodeId, epoch, atMs, false);
  }

  async #changed(nodeId: string, epoch: number, atMs: number, connected: boolean): Promise<void> {
    await this.pool.query(
      `UPDATE nodes SET connected = $4, last_seen_at_ms = ${DATABASE_MS} - $3 WHERE node_id = $1 AND epoch = $2`,
      [nodeId, epoch, this.#ageOf(atMs), connected],
    );
  }

  #ageOf(atMs: number): number {
    return this.clock.nowMs() - atMs;
  }

  async list(): Promise<NodeRecord[]> {
    const { rows } = await this.pool.query<NodeRow & { silent_ms: Int8 }>(
      `SELECT *, ${DATABASE_MS} - last_seen_at_ms AS silent_ms FROM nodes ORDER BY node_id`,
    );
    const nowMs = this.clock.nowMs();
    return rows.map((row) => ({
      nodeId: row.node_id,
      role: row.role,
      epoch: Number(row.epoch),
      softwareVersion: row.software_version,
      labels: row.labels,
      adminUrl: row.admin_url,
      connected: row.connected,
      lastSeenAtMs: nowMs - Number(row.silent_ms),
      ackedRevision: Number(row.acked_revision),
      ackedAtMs: row.acked_at_ms === null ? null : Number(row.acked_at_ms),
      protocol: row.protocol,
      snapshotFormats: row.snapshot_formats,
      turnedAway: row.turned_away,
    }));
  }

  async refusals(): Promise<NodeRefusal[]> {
    const { rows } = await this.pool.query<{
      node_id: string;
      kind: EntryKind;
      entry_id: string;
      revision: Int8;
      reason: string;
      at_ms: Int8;
    }>('SELECT * FROM node_refusals ORDER BY node_id, kind, entry_id');
    return rows.map((row) => ({
      nodeId: row.node_id,
      kind: row.kind,
      entryId: row.entry_id,
      revision: Number(row.revision),
      reason: row.reason,
      atMs: Number(row.at_ms),
    }));
  }

  async forget(beforeMs: number): Promise<number> {
    const { rowCount } = await this.pool.query(`DELETE FROM nodes WHERE last_seen_at_ms < ${DATABASE_MS} - $1`, [
      this.#ageOf(beforeMs),
    ]);
    return rowCount ?? 0;
  }
}
