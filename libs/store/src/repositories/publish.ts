import {
  formerPoolsAfter,
  poolsField,
  poolsOf,
  type BlobRepository,
  type EntryContent,
  type EntryKind,
  type ManifestEntry,
  type ManifestRepository,
  type PutMore,
  type Rollout,
} from '@gatehouse/domain';
import { sha256Hex, type Clock } from '@gatehouse/kernel';
import { columnText } from '../column-text.js';
import { compress, decompress } from '../compression.js';
import { inlineToColumn } from '../entry-inline.js';
import type * as rows from '../gen/client.js';
import { MANIFEST_CHANNEL, notificationOf, toEntry, type EntryRow, type RecentBlobs } from '../manifest-log.js';
import { arrayText, statement } from '../statement-batch.js';
import type { TransactionScope } from './prisma-repository.js';

// Touching a blob that is there keeps it from being cleaned away before this transaction refers to it.
const PUT_BLOB = statement(
  `INSERT INTO "blobs" ("digest", "bytes", "put_at_ms") VALUES ($1, $2, $3)
   ON CONFLICT ("digest") DO UPDATE SET "put_at_ms" = excluded."put_at_ms"`,
);
const HEAD = statement('SELECT "revision" FROM "manifest_counter"');
const FIND = statement(
  `SELECT "revision", "removed", "digest", "blob_bytes", "inline", array_to_json("pools"), array_to_json("former_pools"), "snapshot_format"
   FROM "manifest_entries" WHERE "tenant_id" = $1 AND "kind" = $2 AND "id" = $3`,
);
// Of kinds that are not sealed: those would all differ.
const INLINES = statement(
  `SELECT DISTINCT "inline" FROM "manifest_entries"
   WHERE "tenant_id" = $1 AND "kind" = $2 AND NOT "removed" AND "inline" <> ''`,
);
const TAKE = statement('UPDATE "manifest_counter" SET "revision" = "revision" + $1 RETURNING "revision"');
const NOTIFY = statement(`SELECT pg_notify('${MANIFEST_CHANNEL}', $1)`);
const WRITE = statement(
  `WITH counter AS (UPDATE "manifest_counter" SET "revision" = "revision" + 1 RETURNING "revision")
   INSERT INTO "manifest_entries"
     ("tenant_id", "kind", "id", "removed", "digest", "blob_bytes", "inline", "pools", "former_pools", "changed_at_ms",
      "snapshot_format", "revision")
   SELECT $1, $2, $3, $4::boolean, $5, $6::bigint, $7, $8::text[], $9::text[], $10::bigint, $11::integer, counter."revision" FROM counter
   ON CONFLICT ("tenant_id", "kind", "id") DO UPDATE SET
     "removed" = excluded."removed", "digest" = excluded."digest", "blob_bytes" = excluded."blob_bytes", "inline" = excluded."inline",
     "pools" = excluded."pools", "former_pools" = excluded."former_pools", "changed_at_ms" = excluded."changed_at_ms",
     "snapshot_format" = excluded."snapshot_format", "revision" = excluded."revision"
   RETURNING "revision"`,
);
const RECORD_ROLLOUT = statement(
  `INSERT INTO "rollouts" ("tenant_id", "api_id", "deployment_id", "stage_name", "revision", "published_at_ms")
   SELECT $1, $2, $3, $4, entry."revision", $5::bigint
   FROM "manifest_entries" AS entry WHERE entry."tenant_id" = $1 AND entry."kind" = $6 AND entry."id" = $7
   ON CONFLICT ("tenant_id", "api_id", "deployment_id", "stage_name") DO UPDATE SET
     "revision" = excluded."revision", "published_at_ms" = excluded."published_at_ms"`,
);

/** More do not fit into a notification. */
const TOLD_ENTRIES_MAX = 100;

export class PrismaBlobs implements BlobRepository {
  constructor(
    private readonly scope: TransactionScope,
    private readonly clock: Clock,
    private readonly recent: RecentBlobs,
  ) {}

  async put(bytes: Uint8Array): Promise<string> {
    const digest = sha256Hex(bytes);
    const packed = await compress(bytes);
    this.scope.tx.post(PUT_BLOB, [digest, packed, String(this.clock.nowMs())]);
    this.recent.put(digest, packed);
    return digest;
  }

  async get(digest: string): Promise<Uint8Array | null> {
    const row = await (await this.scope.tx.prisma()).blob.findUnique({ where: { digest: columnText(digest) } });
    return row === null ? null : decompress(row.bytes);
  }
}

export class PrismaManifest implements ManifestRepository {
  #isWritten = false;
  /** By revision; `null`: too many to be told of. */
  #published: EntryRow[] | null = [];

  constructor(
    private readonly scope: TransactionScope,
    private readonly clock: Clock,
  ) {}

  async put(kind: EntryKind, id: string, content: EntryContent, { present: known, rollout }: PutMore = {}): Promise<number> {
    const present = known === undefined ? await this.find(kind, id) : known;
    if (present !== null && isSame(present.content, content)) return present.revision;
    const written = this.#write(kind, id, content, present);
    if (rollout !== undefined) {
      const { tx, tenant } = this.scope;
      const { apiId, deploymentId, stageName, publishedAtMs } = rollout;
      tx.post(RECORD_ROLLOUT, [tenant, apiId, deploymentId, stageName, String(publishedAtMs), kind, id]);
    }
    return written;
  }

  async remove(kind: EntryKind, id: string): Promise<number> {
    const present = await this.find(kind, id);
    if (present?.content === null) return present.revision;
    if (present === null) return Number((await this.scope.tx.run(HEAD)).rows[0]![0]);
    return this.#write(kind, id, null, present);
  }

  async find(kind: EntryKind, id: string): Promise<ManifestEntry | null> {
    const { tx, tenant, sealer } = this.scope;
    const { rows } = await tx.run(FIND, [tenant, kind, columnText(id)]);
    if (rows.length === 0) return null;
    const [revision, removed, digest, blobBytes, inline, pools, formerPools, snapshotFormat] = rows[0]!;
    return toEntry(
      {
        tenantId: tenant,
        kind,
        id,
        revision: BigInt(revision!),
        removed: removed === 't',
        digest: digest!,
        blobBytes: BigInt(blobBytes!),
        inline: inline!,
        pools: JSON.parse(pools!) as string[],
        formerPools: JSON.parse(formerPools!) as string[],
        snapshotFormat: snapshotFormat === null ? null : Number(snapshotFormat),
      },
      sealer,
    );
  }

  async inlines(kind: EntryKind): Promise<string[]> {
    const { rows } = await this.scope.tx.run(INLINES, [this.scope.tenant, kind]);
    return rows.map(([inline]) => inline!);
  }

  async place(decide: Parameters<ManifestRepository['place']>[0]): Promise<void> {
    const { tenant, sealer } = this.scope;
    const tx = await this.scope.tx.prisma();
    await tx.$queryRaw`SELECT 1 FROM "manifest_counter" FOR UPDATE`;
    const rows = await tx.manifestEntry.findMany({ where: { tenantId: tenant, removed: false } });
    const moves = [];
    for (const [entry, decided] of decide(rows.map((row) => toEntry(row, sealer)))) {
      const { digest, blobBytes, inline } = entry.content!;
      const content: EntryContent = { digest, blobBytes, inline, ...poolsField(decided) };
      if (isSame(entry.content, content)) continue;
      moves.push({ kind: entry.kind, id: entry.id, pools: content.pools ?? [], former: formerPoolsAfter(entry, content) });
    }
    if (moves.length === 0) return;
    // One statement however many: a tenant may have 100,000 keys, and all others wait for the counter meanwhile.
    const first = await this.#take(moves.length);
    await tx.$executeRaw`
      UPDATE "manifest_entries" AS entry
      SET "pools" = moved.pools, "former_pools" = moved.former, "revision" = ${first} + moved.index, "changed_at_ms" = ${this.clock.nowMs()}
      FROM ROWS FROM (json_to_recordset(${JSON.stringify(moves)}::json) AS (kind text, id text, pools text[], former text[]))
        WITH ORDINALITY AS moved(kind, id, pools, former, index)
      WHERE entry."tenant_id" = ${tenant} AND entry."kind" = moved.kind AND entry."id" = moved.id`;
  }

  async rolloutsOf(deploymentId: string): Promise<Rollout[]> {
    const where = { tenantId: this.scope.tenant, deploymentId: columnText(deploymentId) };
    const found = await (await this.scope.tx.prisma()).rollout.findMany({ where, orderBy: { revision: 'asc' } });
    return found.map(toRollout);
  }

  /** Holds the counter until the commit: nobody sees a later revision before this one. */
  async #write(kind: EntryKind, id: string, content: EntryContent | null, present: ManifestEntry | null): Promise<number> {
    const { tx, tenant, sealer } = this.scope;
    const inline = inlineToColumn(sealer, { tenantId: tenant, kind, id }, content?.inline ?? '');
    const pools = content?.pools ?? [];
    const formerPools = formerPoolsAfter(present, content);
    const { rows } = await tx.run(WRITE, [
      tenant,
      kind,
      id,
      String(content === null),
      content?.digest ?? null,
      String(content?.blobBytes ?? 0),
      inline,
      arrayText(pools),
      arrayText(formerPools),
      String(this.clock.nowMs()),
      content?.snapshotFormat === undefined ? null : String(content.snapshotFormat),
    ]);
    const revision = rows[0]![0]!;
    this.#published?.push({
      tenant_id: tenant,
      kind,
      id,
      revision,
      removed: content === null,
      digest: content?.digest ?? null,
      blob_bytes: String(content?.blobBytes ?? 0),
      inline,
      pools: [...pools],
      former_pools: [...formerPools],
      snapshot_format: content?.snapshotFormat ?? null,
    });
    if (this.#published?.length === TOLD_ENTRIES_MAX) this.#published = null;
    this.#isWritten = true;
    return Number(revision);
  }

  /** To be called before the commit, which tells the control planes. */
  announce(): void {
    if (!this.#isWritten) return;
    this.scope.tx.post(NOTIFY, [this.#published === null ? '' : notificationOf(this.#published)]);
  }

  /** Takes the next `count` revisions and returns the one before them. */
  async #take(count: number): Promise<bigint> {
    const { rows } = await this.scope.tx.run(TAKE, [String(count)]);
    this.#isWritten = true;
    this.#published = null;
    return BigInt(rows[0]![0]!) - BigInt(count);
  }
}

function isSame(left: EntryContent | null, right: EntryContent): boolean {
  return (
    left !== null &&
    left.digest === right.digest &&
    left.blobBytes === right.blobBytes &&
    left.inline === right.inline &&
    poolsOf(left).join() === poolsOf(right).join()
  );
}

function toRollout(row: rows.Rollout): Rollout {
  return {
    deploymentId: row.deploymentId,
    apiId: row.apiId,
    stageName: row.stageName,
    revision: Number(row.revision),
    publishedAtMs: Number(row.publishedAtMs),
  };
}
