import {
  formerPoolsAfter,
  poolsField,
  poolsOf,
  type BlobRepository,
  type EntryContent,
  type EntryKind,
  type ManifestEntry,
  type ManifestRepository,
  type Rollout,
} from '@gatehouse/domain';
import { sha256Hex, type Clock } from '@gatehouse/kernel';
import { columnText } from '../column-text.js';
import { compress, decompress } from '../compression.js';
import { inlineToColumn } from '../entry-inline.js';
import type * as rows from '../gen/client.js';
import { MANIFEST_CHANNEL, toEntry } from '../manifest-log.js';
import type { TransactionScope } from './prisma-repository.js';

export class PrismaBlobs implements BlobRepository {
  constructor(
    private readonly scope: TransactionScope,
    private readonly clock: Clock,
  ) {}

  async put(bytes: Uint8Array): Promise<string> {
    const { tx } = this.scope;
    const digest = sha256Hex(bytes);
    const putAtMs = this.clock.nowMs();
    const packed = await compress(bytes);
    // Touching a blob that is there keeps it from being cleaned away before this transaction refers to it.
    await tx.$executeRaw`
      INSERT INTO "blobs" ("digest", "bytes", "put_at_ms") VALUES (${digest}, ${packed}, ${putAtMs})
      ON CONFLICT ("digest") DO UPDATE SET "put_at_ms" = excluded."put_at_ms"`;
    return digest;
  }

  async get(digest: string): Promise<Uint8Array | null> {
    const row = await this.scope.tx.blob.findUnique({ where: { digest: columnText(digest) } });
    return row === null ? null : decompress(row.bytes);
  }
}

export class PrismaManifest implements ManifestRepository {
  constructor(
    private readonly scope: TransactionScope,
    private readonly clock: Clock,
  ) {}

  async put(kind: EntryKind, id: string, content: EntryContent, known?: ManifestEntry | null): Promise<number> {
    const present = known === undefined ? await this.find(kind, id) : known;
    if (present !== null && isSame(present.content, content)) return present.revision;
    return this.#write(kind, id, content, present);
  }

  async remove(kind: EntryKind, id: string): Promise<number> {
    const present = await this.find(kind, id);
    if (present?.content === null) return present.revision;
    if (present === null) return Number((await this.scope.tx.manifestCounter.findFirstOrThrow()).revision);
    return this.#write(kind, id, null, present);
  }

  async find(kind: EntryKind, id: string): Promise<ManifestEntry | null> {
    const where = { tenantId: this.scope.tenant, kind, id: columnText(id) };
    const row = await this.scope.tx.manifestEntry.findFirst({ where });
    return row === null ? null : toEntry(row, this.scope.sealer);
  }

  async place(decide: Parameters<ManifestRepository['place']>[0]): Promise<void> {
    const { tx, tenant, sealer } = this.scope;
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

  async recordRollout({ apiId, deploymentId, stageName, revision, publishedAtMs }: Rollout): Promise<void> {
    const key = { tenantId: this.scope.tenant, apiId, deploymentId, stageName };
    const values = { revision, publishedAtMs };
    await this.scope.tx.rollout.upsert({
      where: { tenantId_apiId_deploymentId_stageName: key },
      create: { ...key, ...values },
      update: values,
    });
  }

  async rolloutsOf(deploymentId: string): Promise<Rollout[]> {
    const where = { tenantId: this.scope.tenant, deploymentId: columnText(deploymentId) };
    const found = await this.scope.tx.rollout.findMany({ where, orderBy: { revision: 'asc' } });
    return found.map(toRollout);
  }

  /** Holds the counter until the commit: nobody sees a later revision before this one. */
  async #write(kind: EntryKind, id: string, content: EntryContent | null, present: ManifestEntry | null): Promise<number> {
    const { tx, tenant, sealer } = this.scope;
    const revision = (await this.#take(1)) + 1n;
    const key = { tenantId: tenant, kind, id };
    const values = {
      revision,
      removed: content === null,
      digest: content?.digest ?? null,
      blobBytes: content?.blobBytes ?? 0,
      inline: inlineToColumn(sealer, key, content?.inline ?? ''),
      pools: [...(content?.pools ?? [])],
      formerPools: [...formerPoolsAfter(present, content)],
      snapshotFormat: content?.snapshotFormat ?? null,
      changedAtMs: this.clock.nowMs(),
    };
    await tx.manifestEntry.upsert({ where: { tenantId_kind_id: key }, create: { ...key, ...values }, update: values });
    return Number(revision);
  }

  /**
   * Takes the next `count` revisions and returns the one before them. The commit tells the control planes, once: PostgreSQL
   * folds equal notifications of a transaction. The cast is for Prisma, which cannot read a `void`.
   */
  async #take(count: number): Promise<bigint> {
    const [counter] = await this.scope.tx.$queryRaw<[{ revision: bigint }]>`
      UPDATE "manifest_counter" SET "revision" = "revision" + ${count}
      RETURNING "revision", pg_notify(${MANIFEST_CHANNEL}, '')::text`;
    return counter.revision - BigInt(count);
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
