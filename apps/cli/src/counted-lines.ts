/** What an access log says was counted: sums by plan, key and day of one tenant. */
import { logLines } from './log-lines.js';

export interface Period {
  /** UTC days, `YYYY-MM-DD`, both included. */
  readonly from: string;
  readonly to: string;
}

export interface UsageSum {
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly day: string;
  readonly count: number;
}

export interface UnreadableLine {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

const UNREADABLE_SHOWN = 20;

/** Every line is one of these. */
export interface LineCounts {
  /** In the sums of this tenant and period. */
  counted: number;
  /** Of this tenant, without a plan that counted it. */
  uncounted: number;
  /** Counted on another day. */
  outsidePeriod: number;
  /** Of other tenants, or of nobody. */
  ofOthers: number;
  unreadable: number;
}

interface CountedLine {
  readonly tenant: string | null;
  readonly apiKeyId: string | null;
  readonly usagePlanId: string | null;
  readonly usageDay: string | null;
}

export class CountedLines {
  readonly lines: LineCounts = { counted: 0, uncounted: 0, outsidePeriod: 0, ofOthers: 0, unreadable: 0 };
  /** The first ones. */
  readonly unreadable: UnreadableLine[] = [];
  private readonly sums = new Map<string, UsageSum & { count: number }>();

  constructor(
    private readonly tenant: string,
    private readonly period: Period,
  ) {}

  /** Rejects when the file cannot be read to its end: half a log proves nothing. */
  async addFile(file: string): Promise<void> {
    try {
      for await (const { number, text } of logLines(file)) this.addLine(file, number, text);
    } catch (cause) {
      throw new Error(`Cannot read ${file}: ${(cause as Error).message}`, { cause });
    }
  }

  private addLine(file: string, line: number, text: string | null): void {
    try {
      this.add(text);
    } catch (cause) {
      this.lines.unreadable++;
      if (this.unreadable.length < UNREADABLE_SHOWN) this.unreadable.push({ file, line, reason: (cause as Error).message });
    }
  }

  /** By plan, key and day: see `sumKey`. */
  get byKey(): ReadonlyMap<string, UsageSum> {
    return this.sums;
  }

  /** Throws for what is no line of an access log. */
  add(text: string | null): void {
    if (text === null) throw new Error('the line is too long');
    const { tenant, apiKeyId, usagePlanId, usageDay } = readLine(text);
    if (tenant !== this.tenant) this.lines.ofOthers++;
    else if (usagePlanId === null) this.lines.uncounted++;
    else if (usageDay! < this.period.from || usageDay! > this.period.to) this.lines.outsidePeriod++;
    else {
      this.lines.counted++;
      const sum = { usagePlanId, apiKeyId: apiKeyId!, day: usageDay!, count: 1 };
      const known = this.sums.get(sumKey(sum));
      if (known === undefined) this.sums.set(sumKey(sum), sum);
      else known.count++;
    }
  }
}

export const sumKey = ({ usagePlanId, apiKeyId, day }: Omit<UsageSum, 'count'>): string =>
  JSON.stringify([usagePlanId, apiKeyId, day]);

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const isTextOrNull = (value: unknown): boolean => value === null || typeof value === 'string';

function readLine(text: string): CountedLine {
  let line: Partial<Record<keyof CountedLine, unknown>> | null;
  try {
    line = JSON.parse(text) as typeof line;
  } catch {
    throw new Error('the line is cut, or is not JSON');
  }
  if (typeof line !== 'object' || line === null || !isTextOrNull(line.tenant) || !isTextOrNull(line.apiKeyId))
    throw new Error('the line is not one of an access log');
  if (line.usagePlanId === undefined) {
    if (line.apiKeyId !== null) throw new Error('the line is of an earlier release and does not say whether it was counted');
    return { ...(line as CountedLine), usagePlanId: null, usageDay: null };
  }
  const isCounted = typeof line.usagePlanId === 'string' && typeof line.apiKeyId === 'string' && DAY.test(String(line.usageDay));
  if (!isCounted && line.usagePlanId !== null) throw new Error('the line names no plan, key and day it was counted for');
  return line as CountedLine;
}
