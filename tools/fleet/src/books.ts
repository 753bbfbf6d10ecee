/** Exactly once: the sums of the control plane, the access logs of the nodes and what the callers saw, held against each other. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { TENANT } from './admin.js';
import type { Fleet } from './fleet.js';
import { ROOT } from './part.js';
import { eventually } from './wait.js';

const DAY_MS = 86_400_000;

interface Report {
  readonly isEqual: boolean;
  readonly inLog: number;
  readonly inSums: number;
  readonly differences: readonly { readonly inLog: number; readonly inSums: number }[];
  readonly lines: { readonly unreadable: number };
}

export interface Books {
  readonly report: Report;
  /** Answers that callers have and no log has. */
  readonly unlogged: number;
  readonly text: string;
}

/** Every line that was counted, of all nodes. Throws for a request that two lines speak of. Lines cut by a kill are not among them. */
function countedLines(fleet: Fleet): Set<string> {
  const seen = new Set<string>();
  for (const accessLog of logsOf(fleet)) {
    for (const line of readFileSync(accessLog, 'utf8').split('\n').slice(0, -1)) {
      const { requestId, usagePlanId } = readLine(line);
      if (usagePlanId === null) continue;
      assert(!seen.has(requestId), `request ${requestId} has two lines`);
      seen.add(requestId);
    }
  }
  return seen;
}

const logsOf = ({ nodes, guests }: Fleet): string[] =>
  [...nodes, ...guests].map(({ accessLog }) => accessLog).filter((file) => existsSync(file));

function readLine(line: string): { requestId: string; usagePlanId: string | null } {
  try {
    return JSON.parse(line) as { requestId: string; usagePlanId: string | null };
  } catch {
    return { requestId: '', usagePlanId: null };
  }
}

/** From yesterday to tomorrow: a node's clock may be wrong. */
async function verifyUsage(fleet: Fleet): Promise<Report> {
  const now = Date.now();
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const args = ['verify-usage', '--json', '--from', day(now - DAY_MS), '--to', day(now + DAY_MS), '--access-log'];
  const cli = path.join(ROOT, 'apps/cli/bin/gatehouse-admin.mjs');
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) =>
    execFile(
      process.execPath,
      [cli, ...args, ...logsOf(fleet)],
      {
        env: {
          PATH: process.env['PATH'],
          AWS_ENDPOINT_URL: `http://127.0.0.1:${fleet.planes[0]!.adminPort}`,
          AWS_ACCESS_KEY_ID: TENANT.GATEHOUSE_FIRST_ACCESS_KEY_ID,
          AWS_SECRET_ACCESS_KEY: TENANT.GATEHOUSE_FIRST_SECRET_ACCESS_KEY,
        },
        maxBuffer: 64 * 1024 * 1024,
      },
      (_error, out, err) => resolve({ stdout: out, stderr: err }), // 1: a difference, which the report names
    ),
  );
  if (stdout === '') throw new Error(`verify-usage: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

/**
 * The load must be stopped. `killedNodes`: how often a node was killed so far. A request that was under way in it was counted and has no
 * line, and nobody can say how often the balancer tried another node for it: each such case is bounded by what callers saw.
 */
export async function balanceBooks(fleet: Fleet, killedNodes: number): Promise<Books> {
  await eventually('every node has receipts for all it counted', 30_000, async () => {
    for (const node of fleet.nodes) if ((await node.metric('gatehouse_node_unreported_batches')) !== 0) return false;
    return true;
  });
  let report!: Report;
  // A node reports once a second: a batch that is not packed yet is not among the unreported ones.
  let last = -1;
  await eventually('the sums are at rest', 30_000, async () => {
    report = await verifyUsage(fleet);
    const isAtRest = report.inSums === last;
    last = report.inSums;
    if (!isAtRest) await new Promise((resolve) => setTimeout(resolve, 1_500));
    return isAtRest;
  });
  const lines = countedLines(fleet);
  const { load, keyedBefore } = fleet;
  const answered = [...keyedBefore, ...load.keyedAnswers.map(({ requestId }) => requestId)];
  assert.equal(new Set(answered).size, answered.length, 'two answers have one request id');
  const unlogged = answered.filter((requestId) => !lines.has(requestId)).length;
  const broken = load.keyedBroken + ((await fleet.balancer?.retryCount()) ?? 0);
  const text =
    `${report.inSums} in the sums, ${report.inLog} lines in the logs, ${answered.length} answers; ` +
    `${unlogged} answers without a line, ${broken} broken or repeated by the balancer, ${killedNodes} nodes killed`;
  assert(report.lines.unreadable <= killedNodes, `lines that cannot be read: ${text}`);
  assert.equal(report.inLog, lines.size, `verify-usage reads the logs as we do: ${text}`);
  for (const { inLog, inSums } of report.differences) assert(inSums > inLog, `a record is lost: ${text}`);
  assert(report.inSums >= answered.length, `a record is lost: ${text}`);
  if (killedNodes === 0) {
    assert.equal(unlogged, 0, `an answer has no line: ${text}`);
    assert(report.isEqual, `sums and logs differ: ${text}`);
  }
  // What is in the sums and in no log: answers whose line died with its node, and requests that died in it.
  const withoutLine = report.inSums - report.inLog - unlogged;
  assert(withoutLine >= 0 && withoutLine <= broken, `a record is doubled: ${text}`);
  return { report, unlogged, text };
}
