// wrk: a fixed number of keep-alive connections, each sending its next request when the answer is there.
import { spawn } from 'node:child_process';
import path from 'node:path';

export const CONNECTIONS = 50;
const REPORT = path.join(import.meta.dirname, 'report.lua');
const MARK = 'gatehouse-bench ';

/** What report.lua printed. Times in microseconds. */
export function parseReport(stdout) {
  const line = stdout.split('\n').find((text) => text.startsWith(MARK));
  if (line === undefined) throw new Error(`wrk gave no report:\n${stdout}`);
  return JSON.parse(line.slice(MARK.length));
}

/** Loads `url` for `seconds`; resolves with requests, errors, p50Us, p99Us, p999Us. */
export async function load(wrk, { url, headers = {} }, seconds) {
  const headerArgs = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const args = ['-t', '1', '-c', String(CONNECTIONS), '-d', `${seconds}s`, '--latency', '-s', REPORT, ...headerArgs, url];
  const child = spawn(wrk, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`wrk ended with ${code}: ${stderr}`);
  return parseReport(stdout);
}
