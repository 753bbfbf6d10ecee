// The load programs of Debian. wrk: a fixed number of keep-alive connections, each sending its next request when the answer is there.
// h2load: one HTTP/2 connection with a fixed number of streams, likewise.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { percentile } from './summary.mjs';

export const CONNECTIONS = 50;
export const STREAMS = 100;
const REPORT = path.join(import.meta.dirname, 'report.lua');
const MARK = 'gatehouse-bench ';

/** What report.lua printed. Times in microseconds. */
export function parseReport(stdout) {
  const line = stdout.split('\n').find((text) => text.startsWith(MARK));
  if (line === undefined) throw new Error(`wrk gave no report:\n${stdout}`);
  return JSON.parse(line.slice(MARK.length));
}

/** Loads `url` for `seconds`; resolves with requests, durationUs, errors, p50Us, p99Us, p999Us. `cores`: not those of this process. */
export async function load(wrk, { url, headers = {}, body }, seconds, { connections = CONNECTIONS, cores } = {}) {
  const args = [
    '-t',
    '1',
    '-c',
    String(connections),
    '-d',
    `${seconds}s`,
    '--latency',
    '-s',
    REPORT,
    ...headerArgs(headers),
    url,
  ];
  const command = cores === undefined ? [wrk, ...args] : ['taskset', '-c', cores, wrk, ...args];
  return parseReport(await run(command, body === undefined ? {} : { GATEHOUSE_BENCH_BODY: body }));
}

export async function loadHttp2(h2load, { url, headers: { Host, ...headers } = {} }, seconds) {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-h2load-'));
  const log = path.join(folder, 'log');
  const authority = Host === undefined ? {} : { ':authority': Host };
  try {
    const own = ['-c', '1', '-t', '1', '-m', String(STREAMS), '-D', String(seconds), `--log-file=${log}`];
    const stdout = await run([h2load, ...own, ...headerArgs({ ...authority, ...headers }), url]);
    return { ...parseH2load(stdout, readFileSync(log, 'latin1')), durationUs: seconds * 1e6 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** h2load's summary and its log: start, status, microseconds, one line per answer. */
export function parseH2load(stdout, log) {
  const counts = /^requests: .* (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(stdout);
  if (counts === null) throw new Error(`h2load gave no report:\n${stdout}`);
  const protocol = /^Application protocol: (.*)$/m.exec(stdout)?.[1];
  if (protocol !== 'h2') throw new Error(`h2load spoke ${protocol}, not h2`);
  const rows = log.split('\n').flatMap((line) => (line === '' ? [] : [line.split('\t').map(Number)]));
  const refused = rows.filter(([, status]) => status < 200 || status > 299).length;
  const times = Float64Array.from(rows, ([, , us]) => us).sort();
  // Failed holds the errored and the timed out.
  return { requests: times.length, errors: refused + Number(counts[1]), ...percentiles(times) };
}

/** Of sorted microseconds. */
function percentiles(times) {
  return { p50Us: percentile(times, 0.5), p99Us: percentile(times, 0.99), p999Us: percentile(times, 0.999) };
}

/** One of our own load programs in `generators/`; resolves with the JSON that it prints. `priority`: as of `putFirst`. */
export async function generate(name, settings, seconds, priority = 0) {
  const script = path.join(import.meta.dirname, 'generators', name);
  // Its young garbage is collected rarely, and little of it is alive then: pauses of the generator would be taken for the proxy's.
  const command = [process.execPath, '--max-semi-space-size=64', script, JSON.stringify({ ...settings, seconds })];
  return JSON.parse(await run(priority === 0 ? command : ['chrt', '-f', String(priority), ...command]));
}

function headerArgs(headers) {
  return Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
}

async function run([program, ...args], environment = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${path.basename(program)} ended with ${code}: ${stderr.trim()}`);
  return stdout;
}
