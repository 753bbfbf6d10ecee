/** The sums the control plane holds against what the nodes' access logs say was counted, line for line. */
import { CountedLines, sumKey, type LineCounts, type Period, type UnreadableLine, type UsageSum } from './counted-lines.js';

/** One page of GET /admin/v1/usage. */
export interface UsagePage {
  readonly tenant: string;
  readonly items: readonly UsageSum[];
  readonly position: string | null;
}

export type AskUsage = (query: Readonly<Record<string, string>>) => Promise<UsagePage>;

export interface UsageDifference {
  readonly tenant: string;
  readonly usagePlanId: string;
  readonly apiKeyId: string;
  readonly day: string;
  readonly inLog: number;
  readonly inSums: number;
}

export interface UsageReport extends Period {
  readonly tenant: string;
  readonly isEqual: boolean;
  readonly inLog: number;
  readonly inSums: number;
  readonly lines: Readonly<LineCounts>;
  /** By plan, key and day. */
  readonly differences: readonly UsageDifference[];
  /** The first ones; `lines.unreadable` counts all. */
  readonly unreadable: readonly UnreadableLine[];
}

/** `tenant`: fails when the credentials are those of another. */
export async function verifyUsage(
  period: Period,
  files: readonly string[],
  ask: AskUsage,
  tenant?: string,
): Promise<UsageReport> {
  // Whose sums these are is known first; the sums themselves are read after the log, so that they hold all it holds.
  const first = await ask({ ...period });
  if (tenant !== undefined && first.tenant !== tenant)
    throw new Error(`The credentials are those of tenant ${first.tenant}, not of ${tenant}.`);
  const log = new CountedLines(first.tenant, period);
  for (const file of files) await log.addFile(file);
  const sums = await readSums(period, ask);
  const differences: UsageDifference[] = [];
  for (const key of new Set([...log.byKey.keys(), ...sums.keys()])) {
    const either = (log.byKey.get(key) ?? sums.get(key))!;
    const inLog = log.byKey.get(key)?.count ?? 0;
    const inSums = sums.get(key)?.count ?? 0;
    const { usagePlanId, apiKeyId, day } = either;
    if (inLog !== inSums) differences.push({ tenant: first.tenant, usagePlanId, apiKeyId, day, inLog, inSums });
  }
  differences.sort((a, b) => (sumKey(a) < sumKey(b) ? -1 : 1));
  return {
    tenant: first.tenant,
    ...period,
    isEqual: differences.length === 0,
    inLog: log.lines.counted,
    inSums: [...sums.values()].reduce((total, { count }) => total + count, 0),
    lines: log.lines,
    differences,
    unreadable: log.unreadable,
  };
}

async function readSums(period: Period, ask: AskUsage): Promise<Map<string, UsageSum>> {
  const sums = new Map<string, UsageSum>();
  let position: string | null = null;
  do {
    const page: UsagePage = await ask({ ...period, ...(position === null ? {} : { position }) });
    for (const item of page.items) if (item.count !== 0) sums.set(sumKey(item), item);
    position = page.position;
  } while (position !== null);
  return sums;
}

const DIFFERENCES_SHOWN = 50;

export function usageText(report: UsageReport): string {
  const { lines, differences, unreadable } = report;
  const texts = [
    `Tenant ${report.tenant}, ${report.from} to ${report.to} (UTC)`,
    `access log  ${report.inLog} requests counted`,
    `sums        ${report.inSums} requests counted`,
    `Other lines: ${lines.uncounted} not counted by a plan, ${lines.outsidePeriod} of other days, ${lines.ofOthers} of others, ` +
      `${lines.unreadable} unreadable`,
    ...unreadable.map(({ file, line, reason }) => `  ${printable(file)}:${line}: ${reason}`),
  ];
  if (lines.unreadable > unreadable.length) texts.push(`  and ${lines.unreadable - unreadable.length} more`);
  if (report.isEqual) return [...texts, 'Equal, for every plan, key and day.', ''].join('\n');
  texts.push(`${differences.length} of (plan, key, day) differ:`);
  for (const { usagePlanId, apiKeyId, day, inLog, inSums } of differences.slice(0, DIFFERENCES_SHOWN)) {
    const side = inLog > inSums ? `${inLog - inSums} missing in the sums` : `${inSums - inLog} missing in the log`;
    texts.push(`  plan ${printable(usagePlanId)} key ${printable(apiKeyId)} ${day}: log ${inLog}, sums ${inSums} (${side})`);
  }
  if (differences.length > DIFFERENCES_SHOWN) texts.push(`  and ${differences.length - DIFFERENCES_SHOWN} more; --json has all`);
  return [...texts, ''].join('\n');
}

/** Text out of a log file is data: a terminal must not act on it. */
const printable = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?');
