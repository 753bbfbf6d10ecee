import {
  formerPoolsField,
  poolsField,
  type EntryKind,
  type ManifestEntry,
  type ManifestLog,
  type TenantId,
} from '@gatehouse/domain';
import type pg from 'pg';
import { columnText } from './column-text.js';
import { decompress } from './compression.js';
import { inlineFromColumn } from './entry-inline.js';
import type * as rows from './gen/client.js';
import type { Listener } from './listener.js';
import type { Sealer } from './seal.js';
import { inTransaction, type Int8 } from './sql.js';

export const MANIFEST_CHANNEL = 'gatehouse_manifest';

/** All numbers that may be large as text, as `pg` has them. */
export interface EntryRow {
  readonly tenant_id: string;
  readonly kind: string;
  readonly id: string;
  readonly revision: Int8;
  readonly removed: boolean;
  readonly digest: string | null;
  readonly blob_bytes: Int8;
  readonly inline: string;
  readonly pools: string[];
  readonly former_pools: string[];
  readonly snapshot_format: number | null;
}

/** Of a notification; PostgreSQL refuses 8,000, and with them the transaction. */
const TOLD_BYTES_MAX = 7_900;

/** What a commit published, as a notification tells it; empty when that is too long, and to be read. */
export function notificationOf(entries: readonly EntryRow[]): string {
  const text = JSON.stringify(entries);
  return Buffer.byteLength(text) > TOLD_BYTES_MAX ? '' : text;
}

const RECENT_BYTES_MAX = 2 * 1024 * 1024;

/** What this process has put lately, packed: its own nodes ask for it at once. A digest names the same bytes for ever. */
export class RecentBlobs {
  /** The oldest first. */
  private readonly blobs = new Map<string, Uint8Array>();
  private bytes = 0;

  get(digest: string): Uint8Array | undefined {
    return this.blobs.get(digest);
  }

  clear(): void {
    this.blobs.clear();
    this.bytes = 0;
  }

  put(digest: string, packed: Uint8Array): void {
    if (this.blobs.has(digest) || packed.length > RECENT_BYTES_MAX / 4) return;
    this.blobs.set(digest, packed);
    this.bytes += packed.length;
    for (const [oldest, { length }] of this.blobs) {
      if (this.bytes <= RECENT_BYTES_MAX) return;
      this.blobs.delete(oldest);
      this.bytes -= length;
    }
  }
}

export class PostgresManifestLog implements ManifestLog {
  readonly recent = new RecentBlobs();

  constructor(
    private readonly pool: pg.Pool,
    private readonly listener: Listener,
    private readonly sealer: Sealer,
  ) {}

  async head(): Promise<number> {
    const { rows } = await this.pool.query<{ revision: Int8 }>('SELECT revision FROM manifest_counter');
    return Number(rows[0]!.revision);
  }

  async since(revision: number, kinds: readonly EntryKind[]): Promise<ManifestEntry[] | null> {
    // One statement, so that all of it is of one moment. Without entries there is one row with nulls.
    const { rows } = await this.pool.query<EntryRow & { known: boolean }>(
      `SELECT counter.forgotten_revision <= $1 AND $1 <= counter.revision AS known, entry.*
       FROM manifest_counter AS counter LEFT JOIN manifest_entries AS entry ON entry.revision > $1 AND entry.kind = ANY($2)
       ORDER BY entry.revision`,
      [revision, kinds],
    );
    return rows[0]!.known ? rows.filter((row) => row.id !== null).map((row) => this.#entryOf(row)) : null;
  }

  async all(kinds: readonly EntryKind[]): Promise<ManifestEntry[]> {
    const { rows } = await this.pool.query<EntryRow>(
      'SELECT * FROM manifest_entries WHERE NOT removed AND kind = ANY($1) ORDER BY revision',
      [kinds],
    );
    return rows.map((row) => this.#entryOf(row));
  }

  async page(kinds: readonly EntryKind[], after: number, limit: number): Promise<ManifestEntry[]> {
    const { rows } = await this.pool.query<EntryRow>(
      'SELECT * FROM manifest_entries WHERE NOT removed AND kind = ANY($1) AND revision > $2 ORDER BY revision LIMIT $3',
      [kinds, after, limit],
    );
    return rows.map((row) => this.#entryOf(row));
  }

  async inBuckets(kinds: readonly EntryKind[], buckets: readonly number[]): Promise<ManifestEntry[]> {
    // The bucket is the first 10 bits of the name's SHA-256; see SetDigest.
    const { rows } = await this.pool.query<EntryRow>(
      `SELECT entry.* FROM manifest_entries AS entry,
         LATERAL (SELECT sha256(convert_to(entry.kind || ' ' || entry.id, 'UTF8')) AS digest) AS name
       WHERE NOT removed AND kind = ANY($1) AND ((get_byte(name.digest, 0) << 2) | (get_byte(name.digest, 1) >> 6)) = ANY($2)
       ORDER BY revision`,
      [kinds, buckets],
    );
    return rows.map((row) => this.#entryOf(row));
  }

  async blob(digest: string): Promise<Uint8Array | null> {
    const bytes = await this.compressedBlob(digest);
    return bytes === null ? null : decompress(bytes);
  }

  async compressedBlob(digest: string): Promise<Uint8Array | null> {
    const recent = this.recent.get(digest);
    if (recent !== undefined) return recent;
    const { rows } = await this.pool.query<{ bytes: Buffer }>({
      name: 'gatehouse_blob',
      text: 'SELECT bytes FROM blobs WHERE digest = $1',
      values: [columnText(digest)],
    });
    return rows[0]?.bytes ?? null;
  }

  subscribe(onPublished: (entries: readonly ManifestEntry[] | null) => void): Promise<() => Promise<void>> {
    return this.listener.subscribe((text) => onPublished(this.#told(text)));
  }

  /** `null`: to be read, also what a release that writes it otherwise has told. */
  #told(text: string): ManifestEntry[] | null {
    if (text === '') return null;
    try {
      return (JSON.parse(text) as EntryRow[]).map((row) => this.#entryOf(row));
    } catch {
      return null;
    }
  }

  clean(beforeMs: number): Promise<{ removals: number; blobs: number }> {
    this.recent.clear();
    return inTransaction(this.pool, async (client) => {
      await client.query('SELECT 1 FROM manifest_counter FOR UPDATE');
      const removals = await client.query<{ revision: Int8 }>(
        'DELETE FROM manifest_entries WHERE removed AND changed_at_ms < $1 RETURNING revision',
        [beforeMs],
      );
      const forgotten = Math.max(0, ...removals.rows.map((row) => Number(row.revision)));
      await client.query('UPDATE manifest_counter SET forgotten_revision = greatest(forgotten_revision, $1)', [forgotten]);
      const blobs = await client.query(
        `DELETE FROM blobs WHERE put_at_ms < $1
           AND NOT EXISTS (SELECT 1 FROM manifest_entries AS entry WHERE entry.digest = blobs.digest)
           AND NOT EXISTS (SELECT 1 FROM functions WHERE functions.code_digest = blobs.digest)
           AND NOT EXISTS (SELECT 1 FROM function_versions AS version WHERE version.code_digest = blobs.digest)`,
        [beforeMs],
      );
      return { removals: removals.rowCount ?? 0, blobs: blobs.rowCount ?? 0 };
    });
  }

  #entryOf(row: EntryRow): ManifestEntry {
    const {
      tenant_id: tenantId,
      blob_bytes: blobBytes,
      former_pools: formerPools,
      snapshot_format: snapshotFormat,
      ...rest
    } = row;
    const numbers = { blobBytes: BigInt(blobBytes), revision: BigInt(row.revision) };
    return toEntry({ ...rest, ...numbers, tenantId, formerPools, snapshotFormat }, this.sealer);
  }
}

export function toEntry(row: Omit<rows.ManifestEntry, 'changedAtMs'>, sealer: Sealer): ManifestEntry {
  return {
    kind: row.kind as EntryKind,
    id: row.id,
    tenant: row.tenantId as TenantId,
    revision: Number(row.revision),
    content: row.removed
      ? null
      : {
          digest: row.digest,
          blobBytes: Number(row.blobBytes),
          inline: inlineFromColumn(sealer, row, row.inline),
          ...poolsField(row.pools),
          ...(row.snapshotFormat !== null && { snapshotFormat: row.snapshotFormat }),
        },
    ...formerPoolsField(row.formerPools, row.removed),
  };
}
