/**
 * The LeaseBook in Redis. One script per operation; all its keys are of one partition, the number in braces, which decides the slot
 * in a Cluster.
 *
 *   gatehouse:{n}:born                   milliseconds: since when this partition remembers
 *   gatehouse:{n}:quota:plan/key/start   hash: v = version, "node/epoch" = "allowed counted reported final generation seenAtMs"; until the period ends
 *   gatehouse:{n}:shares:bucket          hash: node = "demand share atMs"; until the last share lapsed
 *   gatehouse:{n}:tokens:bucket          hash: tokens, atMs; until it is full again
 *   gatehouse:drained                    hash: node = epoch
 *
 * A Redis that restarts without its data is known by `born`. In a Cluster each server may, so there is one per partition, read in
 * the same step as what it is about. One that failed over may have forgotten its last writes, which nobody can know: strict limits
 * are kept in PostgreSQL for that (ADR 0006).
 */
import {
  RATE_SHARE_MS,
  type EpochName,
  type LeaseBook,
  type LeaseClaim,
  type LeaseLine,
  type QuotaPage,
  type QuotaPageState,
  type RateDemand,
  type TokenTake,
} from '@gatehouse/domain';
import { onServerLost, openRedis, type RedisClient } from './redis-client.js';

const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/** KEYS[1]: born. The first to ask writes it. */
const BORN = `${NOW}
local born = redis.call('GET', KEYS[1])
if not born then
  born = string.format('%.0f', now)
  redis.call('SET', KEYS[1], born)
end`;

const BEAR = `${BORN}
return born`;

/**
 * The rule is mergeClaim of domain/ports/lease-book.
 * KEYS: born, page. ARGV: field, held, counted, reported, final, endsAtMs, generation. Returns version, now, born, then field and text of every line.
 * Whole numbers go through %.0f: Lua would write large ones as 1.2e+14.
 */
const NOTE_QUOTA = `${BORN}
local allowed, counted, reported, final, generation = 0, 0, 0, 0, 0
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known then
  local a, c, r, f, g = string.match(known, '^(%S+) (%S+) (%S+) (%S+) (%S+)')
  allowed, counted, reported, final, generation = tonumber(a), tonumber(c), tonumber(r), tonumber(f), tonumber(g)
end
local before = math.max(allowed, counted)
counted = math.max(counted, tonumber(ARGV[3]))
reported = math.max(reported, tonumber(ARGV[4]))
final = math.max(final, tonumber(ARGV[5]))
local asked, held = tonumber(ARGV[7]), tonumber(ARGV[2])
if asked > generation then generation, allowed = asked, 0 elseif asked < generation then held = 0 end
if final == 1 then allowed = counted else allowed = math.max(allowed, held) end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f %.0f %.0f %.0f %.0f %.0f', allowed, counted, reported, final, generation, now))
if math.max(allowed, counted) ~= before then redis.call('HINCRBY', KEYS[2], 'v', 1) end
local answer = { redis.call('HGET', KEYS[2], 'v') or '0', string.format('%.0f', now), born }
for _, text in ipairs(redis.call('HGETALL', KEYS[2])) do answer[#answer + 1] = text end
redis.call('PEXPIREAT', KEYS[2], ARGV[6])
return answer`;

/** KEYS: page. ARGV: version, field, allowed, fields to forget... Returns 1 or 0. */
const RAISE_QUOTA = `
local known = redis.call('HGET', KEYS[1], ARGV[2])
if not known or (redis.call('HGET', KEYS[1], 'v') or '0') ~= ARGV[1] then return 0 end
local a, c, r, f, rest = string.match(known, '^(%S+) (%S+) (%S+) (%S+) (.+)$')
if f == '1' then return 0 end
for i = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('HSET', KEYS[1], ARGV[2], string.format('%.0f', math.max(tonumber(a), tonumber(ARGV[3]))) .. ' ' .. c .. ' ' .. r .. ' ' .. f .. ' ' .. rest)
redis.call('HINCRBY', KEYS[1], 'v', 1)
return 1`;

/** KEYS: drained. ARGV: node, epoch. */
const NOTE_DRAINED = `
local known = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) > known then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
return 1`;

/** The rule is rateShare of domain/ports/lease-book. KEYS: shares. ARGV: node, demand, share's life in ms. Returns the share as text. */
const SHARE_RATE = `${NOW}
local life = tonumber(ARGV[3])
local own = tonumber(ARGV[2])
local total, taken, count, present = own, 0, 1, nil
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local d, s, at = string.match(all[i + 1], '^(%S+) (%S+) (%S+)')
  if now - tonumber(at) >= life then redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] == ARGV[1] then present = tonumber(s)
  else total, taken, count = total + tonumber(d), taken + tonumber(s), count + 1
  end
end
local byDemand = 0.9 * math.min(1, total)
local target = (1 - byDemand) / count
if total > 0 then target = target + byDemand * own / total end
if present then target = math.min(target, math.max(1 - taken, present / math.max(1, taken + present))) end
local share = string.format('%.17g', target)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.17g', own) .. ' ' .. share .. ' ' .. string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], life)
return share`;

/** KEYS: born, tokens. ARGV: ratePerSecond, burst, wanted. Returns whole tokens. */
const TAKE_TOKENS = `${BORN}
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local tokens = tonumber(redis.call('HGET', KEYS[2], 'tokens') or '0')
local at = tonumber(redis.call('HGET', KEYS[2], 'atMs') or born)
now = math.max(now, at)
tokens = math.min(burst, tokens + (now - at) * rate / 1000)
local taken = math.max(0, math.min(tonumber(ARGV[3]), math.floor(tokens)))
tokens = tokens - taken
redis.call('HSET', KEYS[2], 'tokens', string.format('%.17g', tokens), 'atMs', string.format('%.0f', now))
local full = 31622400000
if rate > 0 then full = math.min(full, math.ceil((burst - tokens) * 1000 / rate)) end
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', full + 1000))
return taken`;

interface Scripts {
  gatehouseBear(born: string): Promise<string>;
  gatehouseNoteQuota(born: string, page: string, ...args: (string | number)[]): Promise<string[]>;
  gatehouseRaiseQuota(page: string, ...args: (string | number)[]): Promise<number>;
  gatehouseNoteDrained(drained: string, ...args: (string | number)[]): Promise<number>;
  gatehouseShareRate(shares: string, ...args: (string | number)[]): Promise<string>;
  gatehouseTakeTokens(born: string, tokens: string, ...args: (string | number)[]): Promise<number>;
}

const DRAINED = 'gatehouse:drained';
/** Enough for the slots of a Cluster to be on all of its servers. Another number is another book. */
const PARTITIONS = 64;
/** An operation that took longer is lost; the caller has long taken its fallback. */
const DEADLINE_MS = 250;

export class RedisLeaseBook implements LeaseBook {
  private readonly client: RedisClient & Scripts;
  /** Connects in the background. `onLost` is called when the connection breaks, however many times. */
  constructor(url: string, options: { readonly onLost?: () => void } = {}) {
    const client = openRedis(url, { deadlineMs: DEADLINE_MS });
    for (const [name, numberOfKeys, lua] of [
      ['gatehouseBear', 1, BEAR],
      ['gatehouseNoteQuota', 2, NOTE_QUOTA],
      ['gatehouseRaiseQuota', 1, RAISE_QUOTA],
      ['gatehouseNoteDrained', 1, NOTE_DRAINED],
      ['gatehouseShareRate', 1, SHARE_RATE],
      ['gatehouseTakeTokens', 2, TAKE_TOKENS],
    ] as const)
      client.defineCommand(name, { lua, numberOfKeys });
    this.client = client as RedisClient & Scripts;
    client.on('error', () => {}); // told by onLost and by every rejected command
    if (options.onLost !== undefined) onServerLost(client, options.onLost);
    // Born now, not with their first page: a young partition grants nothing for a while.
    client.on('ready', () => void this.ping().catch(() => undefined));
  }

  async noteQuota(page: QuotaPage, claim: LeaseClaim, endsAtMs: number): Promise<QuotaPageState> {
    const [version, nowMs, bornAtMs, ...fields] = await this.client.gatehouseNoteQuota(
      bornKey(nameOf(page)),
      pageKey(page),
      fieldOf(claim),
      claim.held,
      claim.counted,
      claim.reported,
      claim.isFinal ? 1 : 0,
      Math.trunc(endsAtMs),
      claim.generation,
    );
    return { version: Number(version), lines: readLines(fields), nowMs: Number(nowMs), bornAtMs: Number(bornAtMs) };
  }

  async raiseQuota(
    page: QuotaPage,
    version: number,
    raise: EpochName & { readonly allowed: number },
    forget: readonly EpochName[],
  ): Promise<boolean> {
    return (
      (await this.client.gatehouseRaiseQuota(
        pageKey(page),
        String(version),
        fieldOf(raise),
        raise.allowed,
        ...forget.map(fieldOf),
      )) === 1
    );
  }

  async noteDrained(nodeId: string, epoch: number): Promise<void> {
    await this.client.gatehouseNoteDrained(DRAINED, nodeId, epoch);
  }

  async drained(): Promise<ReadonlyMap<string, number>> {
    const epochs = await this.client.hgetall(DRAINED);
    return new Map(Object.entries(epochs).map(([nodeId, epoch]) => [nodeId, Number(epoch)]));
  }

  async shareRates(nodeId: string, demands: readonly RateDemand[]): Promise<number[]> {
    // The client joins what is sent in one turn into one write; a Cluster's go to several servers.
    const shares = await Promise.all(
      demands.map(({ bucket, demand }) => this.client.gatehouseShareRate(keyOf('shares', bucket), nodeId, demand, RATE_SHARE_MS)),
    );
    return shares.map(Number);
  }

  async takeTokens(takes: readonly TokenTake[]): Promise<number[]> {
    return Promise.all(
      takes.map(({ bucket, ratePerSecond, burst, wanted }) =>
        this.client.gatehouseTakeTokens(bornKey(bucket), keyOf('tokens', bucket), ratePerSecond, burst, wanted),
      ),
    );
  }

  /** All partitions: a Cluster with a server that is away is lost as a whole, not now and then. */
  async ping(): Promise<void> {
    await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => this.client.gatehouseBear(bornKeyOf(partition))));
  }

  /** Redis forgets by itself. */
  async clean(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }
}

const fieldOf = ({ nodeId, epoch }: EpochName): string => `${nodeId}/${epoch}`;

function readLines(fields: readonly string[]): LeaseLine[] {
  const lines: LeaseLine[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    const slashAt = fields[i]!.lastIndexOf('/');
    if (slashAt === -1) continue; // v
    const [allowed, counted, reported, final, generation, seenAtMs] = fields[i + 1]!.split(' ').map(Number);
    lines.push({
      nodeId: fields[i]!.slice(0, slashAt),
      epoch: Number(fields[i]!.slice(slashAt + 1)),
      allowed: allowed!,
      counted: counted!,
      reported: reported!,
      isFinal: final === 1,
      generation: generation!,
      seenAtMs: seenAtMs!,
    });
  }
  return lines;
}

const nameOf = ({ usagePlanId, apiKeyId, periodStart }: QuotaPage): string => `${usagePlanId}/${apiKeyId}/${periodStart}`;

/** The first braces of a key count, so braces in the name change nothing. */
const keyOf = (kind: 'quota' | 'shares' | 'tokens', name: string): string => `gatehouse:{${partitionOf(name)}}:${kind}:${name}`;
const pageKey = (page: QuotaPage): string => keyOf('quota', nameOf(page));
const bornKeyOf = (partition: number): string => `gatehouse:{${partition}}:born`;
const bornKey = (name: string): string => bornKeyOf(partitionOf(name));

/** FNV-1a: the same in every control plane, of every version. */
function partitionOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 16)) >>> 0) % PARTITIONS;
}
