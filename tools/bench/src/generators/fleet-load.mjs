// A steady rate over several nodes for as long as the run lasts. Lines on the standard input steer it:
//
//   {"mark": "idle"}    requests that are due from now on count for "idle"; "" is for nothing but their errors
//   {"report": true}    prints one line: figures by mark, and per window of each mark, in the order of time
//
// Request i is due at start + i / rate; its latency counts from then. Each node has its own connections and gets each target in turn.
import { createInterface } from 'node:readline';
import { percentile } from '../summary.mjs';
import { RawConnection, requestBytes } from './raw-connection.mjs';
import { everyTick } from './ticker.mjs';

const READ_BYTES = 16_384;
const PROBLEMS_MAX = 20;

const { ports, targets, rate, connectionsPerNode } = JSON.parse(process.argv[2]);
const nodes = ports.map((port) => ({
  port,
  requests: targets.map((target) => requestBytes({ ...target, url: `http://127.0.0.1:${port}${target.path}` })),
  next: 0,
  free: Array.from({ length: connectionsPerNode }, () => new RawConnection(port, READ_BYTES)),
  /** Due times of requests that found no free connection. */
  waiting: [],
}));
const startMs = performance.now() + 50;
const windows = [];
const problems = [];
let present = open('');
let sent = 0;
let requests = 0;
let errors = 0;

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if (command.mark !== undefined) present = open(command.mark);
  if (command.report) process.stdout.write(`${JSON.stringify(report())}\n`);
});
process.stdin.once('end', () => process.exit(0)); // the benchmark is gone
everyTick(sendDue);

function open(mark) {
  const window = { mark, latenciesUs: [], errors: 0 };
  if (mark !== '') windows.push(window);
  return window;
}

function sendDue() {
  const nowMs = performance.now();
  for (let dueMs = due(); dueMs <= nowMs; dueMs = due()) {
    const node = nodes[sent++ % nodes.length];
    const waiting = { dueMs, window: present };
    if (node.free.length === 0) node.waiting.push(waiting);
    else send(node, freeConnection(node), waiting);
  }
}

/** The one that rested longest, so that none rests until the node closes it. */
function freeConnection(node) {
  const connection = node.free.shift();
  return connection.isOpen || connection.isConnecting ? connection : new RawConnection(node.port, READ_BYTES);
}

function due() {
  return startMs + (sent * 1000) / rate;
}

function send(node, connection, { dueMs, window }) {
  const index = node.next++ % targets.length;
  connection.send(node.requests[index], (isGood) => {
    requests++;
    if (isGood) window.latenciesUs.push((performance.now() - dueMs) * 1000);
    else failed(node, index, connection, window);
    const again = isGood ? connection : new RawConnection(node.port, READ_BYTES);
    const waiting = node.waiting.shift();
    if (waiting === undefined) node.free.push(again);
    else send(node, again, waiting);
  });
}

function failed({ port }, index, { problem }, window) {
  errors++;
  window.errors++;
  const { path, headers } = targets[index];
  if (problems.length < PROBLEMS_MAX) problems.push(`${headers.Host}${path} on ${port}: ${problem}`);
}

function report() {
  const marks = {};
  for (const name of new Set(windows.map(({ mark }) => mark))) {
    const own = windows.filter(({ mark }) => mark === name);
    marks[name] = { ...figures(own), windows: own.map((window) => figures([window])) };
  }
  return { requests, errors, problems, marks };
}

function figures(list) {
  const times = Float64Array.from(list.flatMap(({ latenciesUs }) => latenciesUs)).sort();
  return {
    requests: times.length,
    errors: list.reduce((sum, window) => sum + window.errors, 0),
    p50Us: percentile(times, 0.5),
    p99Us: percentile(times, 0.99),
    p999Us: percentile(times, 0.999),
    maxUs: times.at(-1) ?? 0,
  };
}
