/**
 * The LeaseBook in Redis. One script per operation; its one key holds all it needs, so that a Cluster can run it, and the name
 * in braces decides the slot.
 *
 *   gatehouse:born                    milliseconds: since when this Redis remembers
 *   gatehouse:quota:{plan/key/start}  hash: v = version, "node/epoch" = "allowed counted reported final generation seenAtMs"; until the period ends
 *   gatehouse:drained                 hash: node = epoch
 *   gatehouse:shares:{bucket}         hash: node = "demand share atMs"; until the last share lapsed
 *   gatehouse:tokens:{bucket}         hash: tokens, atMs; until it is full again
 *
 * A Redis that restarts without its data is known by `born`, and one that failed over may have forgotten its last writes, which
 * nobody can know: strict limits are kept in PostgreSQL for that (ADR 0006).
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
import { openRedis, type RedisClient } from './redis-client.js';

const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/**
 * The rule is mergeClaim of domain/ports/lease-book.
 * KEYS: page. ARGV: field, held, counted, reported, final, endsAtMs, generation. Returns version, now, then field and text of every line.
 * Whole numbers go through %.0f: Lua would write large ones as 1.2e+14.
 */
const NOTE_QUOTA = `${NOW}
local allowed, counted, reported, final, generation = 0, 0, 0, 0, 0
local known = redis.call('HGET', KEYS[1], ARGV[1])
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
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %.0f %.0f %.0f %.0f %.0f', allowed, counted, reported, final, generation, now))
if math.max(allowed, counted) ~= before then redis.call('HINCRBY', KEYS[1], 'v', 1) end
local answer = { redis.call('HGET', KEYS[1], 'v') or '0', string.format('%.0f', now) }
for _, text in ipairs(redis.call('HGETALL', KEYS[1])) do answer[#answer + 1] = text end
redis.call('PEXPIREAT', KEYS[1], ARGV[6])
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

/** KEYS: tokens. ARGV: ratePerSecond, burst, wanted, bornAtMs. Returns whole tokens. */
const TAKE_TOKENS = `${NOW}
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local tokens = tonumber(redis.call('HGET', KEYS[1], 'tokens') or '0')
local at = tonumber(redis.call('HGET', KEYS[1], 'atMs') or ARGV[4])
now = math.max(now, at)
tokens = math.min(burst, tokens + (now - at) * rate / 1000)
local taken = math.max(0, math.min(tonumber(ARGV[3]), math.floor(tokens)))
tokens = tokens - taken
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'atMs', string.format('%.0f', now))
local full = 31622400000
if rate > 0 then full = math.min(full, math.ceil((burst - tokens) * 1000 / rate)) end
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', full + 1000))
return taken`;

interface Scripts {
  gatehouseNoteQuota(page: string, ...args: (string | number)[]): Promise<string[]>;
  gatehouseRaiseQuota(page: string, ...args: (string | number)[]): Promise<number>;
  gatehouseNoteDrained(drained: string, ...args: (string | number)[]): Promise<number>;
  gatehouseShareRate(shares: string, ...args: (string | number)[]): Promise<string>;
  gatehouseTakeTokens(tokens: string, ...args: (string | number)[]): Promise<number>;
}

const BORN = 'gatehouse:born';
const DRAINED = 'gatehouse:drained';
/** An operation that took longer is lost; the caller has long taken its fallback. */
const DEADLINE_MS = 250;

export class RedisLeaseBook implements LeaseBook {
  private readonly client: RedisClient & Scripts;
  /** Of the present connection; `null` until it is read. */
  private born: Promise<number> | null = null;

  /** Connects in the background. `onLost` is called when the connection breaks, however many times. */
  constructor(url: string, options: { readonly onLost?: () => void } = {}) {
    const client = openRedis(url, { deadlineMs: DEADLINE_MS });
    for (const [name, lua] of Object.entries({
      gatehouseNoteQuota: NOTE_QUOTA,
      gatehouseRaiseQuota: RAISE_QUOTA,
      gatehouseNoteDrained: NOTE_DRAINED,
      gatehouseShareRate: SHARE_RATE,
      gatehouseTakeTokens: TAKE_TOKENS,
    }))
      client.defineCommand(name, { lua, numberOfKeys: 1 });
    this.client = client as RedisClient & Scripts;
    client.on('error', () => {}); // told by onLost and by every rejected command
    client.on('close', () => {
      this.born = null; // whatever answers next may be another memory
      options.onLost?.();
    });
  }

  async noteQuota(page: QuotaPage, claim: LeaseClaim, endsAtMs: number): Promise<QuotaPageState> {
    const bornAtMs = await this.bornAtMs();
    const [version, nowMs, ...fields] = await this.client.gatehouseNoteQuota(
      pageKey(page),
      fieldOf(claim),
      claim.held,
      claim.counted,
      claim.reported,
      claim.isFinal ? 1 : 0,
      Math.trunc(endsAtMs),
      claim.generation,
    );
    return { version: Number(version), lines: readLines(fields), nowMs: Number(nowMs), bornAtMs };
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
      demands.map(({ bucket, demand }) =>
        this.client.gatehouseShareRate(`gatehouse:shares:{${tagOf(bucket)}}`, nodeId, demand, RATE_SHARE_MS),
      ),
    );
    return shares.map(Number);
  }

  async takeTokens(takes: readonly TokenTake[]): Promise<number[]> {
    const bornAtMs = await this.bornAtMs();
    return Promise.all(
      takes.map(({ bucket, ratePerSecond, burst, wanted }) =>
        this.client.gatehouseTakeTokens(`gatehouse:tokens:{${tagOf(bucket)}}`, ratePerSecond, burst, wanted, bornAtMs),
      ),
    );
  }

  async ping(): Promise<void> {
    await this.bornAtMs();
    await this.client.get(BORN);
  }

  /** Redis forgets by itself. */
  async clean(): Promise<number> {
    return 0;
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }

  private bornAtMs(): Promise<number> {
    if (this.born !== null) return this.born;
    const born = this.readBorn();
    this.born = born;
    born.catch(() => {
      if (this.born === born) this.born = null;
    });
    return born;
  }

  private async readBorn(): Promise<number> {
    const [seconds, microseconds] = await this.client.time();
    const nowMs = Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
    // One writer wins; everybody reads what it wrote.
    await this.client.set(BORN, nowMs, 'NX');
    return Number(await this.client.get(BORN));
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

const pageKey = ({ usagePlanId, apiKeyId, periodStart }: QuotaPage): string =>
  `gatehouse:quota:{${tagOf(`${usagePlanId}/${apiKeyId}/${periodStart}`)}}`;

/** A closing brace would end the part of the name that decides the slot. */
const tagOf = (name: string): string => name.replaceAll('%', '%25').replaceAll('}', '%7D');
