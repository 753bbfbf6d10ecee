// Memory of many keep-alive connections that asked once and wait: resident memory with them less that before, on fresh, warmed-up processes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { target } from '../contenders.mjs';
import { load } from '../load.mjs';
import { processTree, residentBytes } from '../proc.mjs';
import { megabytes } from '../summary.mjs';
import { rowOf } from './rounds.mjs';

const SETTLE_MS = 3_000;
/** Files that a server has open besides its idle connections. */
const OTHER_FILES = 200;
const GENERATOR = path.join(import.meta.dirname, '../generators/idle.mjs');

export const idle = {
  name: 'idle',
  title: 'Idle keep-alive connections',
  who: ['nginx', 'haproxy', 'gatehouse-node-http', 'gatehouse'],
  needs: 'wrk',
  columns: [
    ['KB per connection', ({ bytesPerConnection }) => `**${(bytesPerConnection / 1024).toFixed(1)}**`],
    ['connections', ({ connections }) => String(connections)],
    ['MB before', ({ baseBytes }) => megabytes(baseBytes)],
    ['MB with them', ({ heldBytes }) => megabytes(heldBytes)],
  ],
  connections: 12_000,
  async run({ contenders, programs, options, fileLimit, tell }) {
    const connections = Math.min(options.idleConnections, fileLimit - OTHER_FILES);
    const rows = [];
    for (const contender of contenders) {
      let figures;
      try {
        if (contender.problem === null) figures = await hold(contender, connections, programs.wrk, options);
      } catch (error) {
        contender.problem = error.message;
      }
      const text = contender.problem ?? `${(figures.bytesPerConnection / 1024).toFixed(1)} KB each of ${connections}`;
      tell(`${contender.title.padEnd(56)} ${text}`);
      rows.push(rowOf(contender, () => figures));
    }
    return rows;
  },
};

async function hold(contender, connections, wrk, { firstWarmUpSeconds }) {
  const item = target(contender, '/item');
  await load(wrk, item, firstWarmUpSeconds);
  await sleep(SETTLE_MS);
  const memory = () => residentBytes(processTree(contender.pid));
  const baseBytes = memory();
  const settings = JSON.stringify({ target: item, connections });
  const callers = spawn(process.execPath, [GENERATOR, settings], { stdio: ['pipe', 'pipe', 'inherit'] });
  const exited = once(callers, 'exit');
  const reports = createInterface({ input: callers.stdout })[Symbol.asyncIterator]();
  const report = async () => {
    const { value, done } = await reports.next();
    if (done) throw new Error('the callers of idle connections ended early');
    return JSON.parse(value);
  };
  const opened = await report();
  await sleep(SETTLE_MS);
  const heldBytes = memory();
  callers.stdin.end();
  const closed = await report();
  await exited;
  if (opened.errors > 0) throw new Error(`${opened.errors} of ${connections} connections got no answer`);
  if (closed.open < connections) throw new Error(`closed ${connections - closed.open} of ${connections} idle connections`);
  return {
    isValid: true,
    bytesPerConnection: Math.round((heldBytes - baseBytes) / connections),
    baseBytes,
    heldBytes,
    connections,
  };
}
