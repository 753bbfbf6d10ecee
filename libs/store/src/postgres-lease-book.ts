import {
  entitledTo,
  mergeClaim,
  RATE_SHARE_MS,
  rateShare,
  sameEpoch,
  type EpochName,
  type LeaseBook,
  type LeaseClaim,
  type LeaseLine,
  type QuotaPage,
  type QuotaPageState,
  type RateDemand,
  type TokenTake,
} from '@gatehouse/domain';
import type pg from 'pg';
import { columnText } from './column-text.js';
import { inTransaction, type Int8 } from './sql.js';

/** The server's clock, in whole milliseconds; the same for all statements of a transaction would be too old after a wait for a row. */
const NOW_MS = `(extract(epoch FROM clock_timestamp()) * 1000)::bigint`;
const PAGE = 'usage_plan_id = $1 AND api_key_id = $2 AND period_start = $3';

/**
 * The LeaseBook in PostgreSQL. Each page and bucket is a row that is held while it is changed, and committed before anybody is
 * told: what was granted is not forgotten. It is as old as the database, so it never lacks lines.
 */
export class PostgresLeaseBook implements LeaseBook {
  /** The pool stays the store's. */
  constructor(private readonly pool: pg.Pool) {}

  noteQuota(page: QuotaPage, claim: LeaseClaim, endsAtMs: number): Promise<QuotaPageState> {
    return inTransaction(this.pool, async (client) => {
      // The update without effect holds the row.
      const { rows } = await client.query<{ version: Int8; lines: LeaseLine[]; now_ms: Int8 }>(
        `INSERT INTO quota_pages (usage_plan_id, api_key_id, period_start, version, lines, ends_at_ms)
         VALUES ($1, $2, $3, 0, '[]', $4)
         ON CONFLICT (usage_plan_id, api_key_id, period_start) DO UPDATE SET ends_at_ms = excluded.ends_at_ms
         RETURNING version, lines, ${NOW_MS} AS now_ms`,
        [...pageKey(page), Math.trunc(endsAtMs)],
      );
      const row = rows[0]!;
      const nowMs = Number(row.now_ms);
      const line = row.lines.find((other) => sameEpoch(other, claim));
      const merged = mergeClaim(line, claim, nowMs);
      const lines = [...row.lines.filter((other) => other !== line), merged];
      const isSame = entitledTo(merged) === (line === undefined ? 0 : entitledTo(line));
      const version = Number(row.version) + (isSame ? 0 : 1);
      await client.query(`UPDATE quota_pages SET version = $4, lines = $5 WHERE ${PAGE}`, [
        ...pageKey(page),
        version,
        JSON.stringify(lines),
      ]);
      return { version, lines, nowMs, bornAtMs: 0 };
    });
  }

  raiseQuota(
    page: QuotaPage,
    version: number,
    raise: EpochName & { readonly allowed: number },
    forget: readonly EpochName[],
  ): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ lines: LeaseLine[] }>(
        `SELECT lines FROM quota_pages WHERE ${PAGE} AND version = $4 FOR UPDATE`,
        [...pageKey(page), version],
      );
      const line = rows[0]?.lines.find((other) => sameEpoch(other, raise));
      if (rows[0] === undefined || line === undefined || line.isFinal) return false;
      const lines = rows[0].lines
        .filter((other) => !forget.some((name) => sameEpoch(name, other)))
        .map((other) => (other === line ? { ...line, allowed: Math.max(line.allowed, raise.allowed) } : other));
      await client.query(`UPDATE quota_pages SET version = version + 1, lines = $4 WHERE ${PAGE}`, [
        ...pageKey(page),
        JSON.stringify(lines),
      ]);
      return true;
    });
  }

  async noteDrained(nodeId: string, epoch: number): Promise<void> {
    await this.pool.query(
      `INSERT INTO drained_epochs (node_id, epoch) VALUES ($1, $2)
       ON CONFLICT (node_id) DO UPDATE SET epoch = greatest(drained_epochs.epoch, excluded.epoch)`,
      [columnText(nodeId), epoch],
    );
  }

  async drained(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.pool.query<{ node_id: string; epoch: Int8 }>('SELECT node_id, epoch FROM drained_epochs');
    return new Map(rows.map(({ node_id, epoch }) => [node_id, Number(epoch)]));
  }

  async shareRates(nodeId: string, demands: readonly RateDemand[]): Promise<number[]> {
    if (demands.length === 0) return [];
    const buckets = [...new Set(demands.map(({ bucket }) => columnText(bucket)))].sort();
    return inTransaction(this.pool, async (client) => {
      await client.query('SET LOCAL synchronous_commit = off'); // a share that a crash forgets lapses in seconds anyway
      await lockBuckets(client, buckets);
      const { rows } = await client.query<{ bucket: string; node_id: string; demand: number; share: number }>(
        `SELECT bucket, node_id, demand, share FROM rate_shares
         WHERE bucket = ANY ($1) AND at_ms > ${NOW_MS} - $2`,
        [buckets, RATE_SHARE_MS],
      );
      const sharers = Map.groupBy(rows, (row) => row.bucket);
      const node = columnText(nodeId);
      const shares = demands.map(({ bucket, demand }) => {
        const all = sharers.get(columnText(bucket)) ?? [];
        const own = all.find((row) => row.node_id === node);
        return rateShare(
          demand,
          own?.share ?? null,
          all.filter((row) => row !== own),
        );
      });
      await client.query(
        `INSERT INTO rate_shares (bucket, node_id, demand, share, at_ms)
         SELECT DISTINCT ON (bucket) bucket, $2, demand, share, ${NOW_MS}
         FROM unnest($1::text[], $3::float8[], $4::float8[]) AS asked(bucket, demand, share)
         ON CONFLICT (bucket, node_id) DO UPDATE SET demand = excluded.demand, share = excluded.share, at_ms = excluded.at_ms`,
        [demands.map(({ bucket }) => columnText(bucket)), node, demands.map(({ demand }) => demand), shares],
      );
      return shares;
    });
  }

  async takeTokens(takes: readonly TokenTake[]): Promise<number[]> {
    if (takes.length === 0) return [];
    const buckets = [...new Set(takes.map(({ bucket }) => columnText(bucket)))].sort();
    return inTransaction(this.pool, async (client) => {
      await lockBuckets(client, buckets);
      const { rows } = await client.query<{ bucket: string; tokens: number; at_ms: Int8 }>(
        'SELECT bucket, tokens, at_ms FROM token_buckets WHERE bucket = ANY ($1)',
        [buckets],
      );
      const { rows: clock } = await client.query<{ now_ms: Int8 }>(`SELECT ${NOW_MS} AS now_ms`);
      const nowMs = Number(clock[0]!.now_ms);
      const known = new Map(rows.map(({ bucket, tokens, at_ms }) => [bucket, { tokens, atMs: Number(at_ms), fullAtMs: 0 }]));
      const taken = takes.map((take) => takeFrom(known, take, nowMs));
      const changed = [...known];
      await client.query(
        `INSERT INTO token_buckets (bucket, tokens, at_ms, full_at_ms)
         SELECT * FROM unnest($1::text[], $2::float8[], $3::bigint[], $4::bigint[])
         ON CONFLICT (bucket) DO UPDATE SET tokens = excluded.tokens, at_ms = excluded.at_ms, full_at_ms = excluded.full_at_ms`,
        [
          changed.map(([bucket]) => bucket),
          changed.map(([, { tokens }]) => tokens),
          changed.map(([, { atMs }]) => atMs),
          changed.map(([, { fullAtMs }]) => fullAtMs),
        ],
      );
      return taken;
    });
  }

  async ping(): Promise<void> {
    await this.pool.query('SELECT 1');
  }

  async clean(): Promise<number> {
    const { rowCount } = await this.pool.query(`DELETE FROM quota_pages WHERE ends_at_ms < ${NOW_MS}`);
    await this.pool.query(`DELETE FROM rate_shares WHERE at_ms < ${NOW_MS} - $1`, [RATE_SHARE_MS]);
    await this.pool.query(`DELETE FROM token_buckets WHERE full_at_ms < ${NOW_MS}`);
    return rowCount ?? 0;
  }

  async close(): Promise<void> {}
}

/** One writer per bucket, in one order for all, so that no two wait for each other in a circle. Also for buckets without a row. */
async function lockBuckets(client: pg.PoolClient, buckets: readonly string[]): Promise<void> {
  await client.query(
    `SELECT pg_advisory_xact_lock(lock) FROM (SELECT DISTINCT hashtextextended(bucket, 7090) AS lock FROM unnest($1::text[]) AS asked(bucket) ORDER BY 1) AS ordered`,
    [buckets],
  );
}

/** No row: nothing was taken since it was last full. */
function takeFrom(
  known: Map<string, { tokens: number; atMs: number; fullAtMs: number }>,
  { bucket, ratePerSecond, burst, wanted }: TokenTake,
  nowMs: number,
): number {
  const before = known.get(columnText(bucket)) ?? { tokens: ratePerSecond > 0 ? burst : 0, atMs: nowMs };
  const atMs = Math.max(before.atMs, nowMs);
  const tokens = Math.min(burst, before.tokens + ((atMs - before.atMs) * ratePerSecond) / 1_000);
  const taken = Math.max(0, Math.min(wanted, Math.floor(tokens)));
  const left = tokens - taken;
  const fullAtMs = ratePerSecond > 0 ? Math.min(atMs + ((burst - left) * 1_000) / ratePerSecond, atMs + YEAR_MS) : atMs + YEAR_MS;
  known.set(columnText(bucket), { tokens: left, atMs, fullAtMs: Math.ceil(fullAtMs) });
  return taken;
}

const YEAR_MS = 366 * 86_400_000;

const pageKey = ({ usagePlanId, apiKeyId, periodStart }: QuotaPage): string[] =>
  [usagePlanId, apiKeyId, periodStart].map(columnText);
