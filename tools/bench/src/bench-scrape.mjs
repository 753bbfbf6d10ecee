// `npm run bench -- scrape`: what a scrape of a node with 20,000 routes and 1,000 keys takes, how long it holds the thread that serves
// requests, and what callers notice (fault 66). One node as a process of its own, a store in memory, a steady load.
import { execFile, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { InMemoryStore, tenantId } from '@gatehouse/domain';
import { canonicalJson, sha256Hex } from '@gatehouse/kernel';
import { routeSnapshot, stageSnapshot } from '@gatehouse/testkit';
import { startControlPlane, TOKEN } from '@gatehouse/tools-node-link';

const TENANTS = 8;
const STAGES = 40;
const ROUTES = 500;
const KEYS = 1_000;
const REQUESTS_PER_SECOND = 500;
const WINDOW_MS = 4_000;
const WINDOWS = 4;
const SCRAPE_PAUSE_MS = 500;

/** Runs inside the node: tells by file how long its event loop was held since the last signal. */
const PROBE = `
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { writeFileSync, renameSync } from 'node:fs';
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('SIGUSR2', () => {
  const file = process.env.GATEHOUSE_BENCH_PROBE;
  writeFileSync(file + '.new', JSON.stringify({ p50: delay.percentile(50) / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 }));
  renameSync(file + '.new', file);
  delay.reset();
});`;

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const tenants = Array.from({ length: TENANTS }, (_, index) => tenantId(String(100_000_000_001 + index)));
const keyOf = (index) => `key-${index}-of-at-least-twenty-characters`;

export async function benchScrape(root) {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-scrape-'));
  const store = new InMemoryStore();
  const control = await startControlPlane(store, { heartbeatMs: 5_000 });
  let node = null;
  try {
    await publishAll(store);
    node = await startNode(root, folder, control.port);
    await until(async () => (await get(node.adminPort, '/readyz')).status === 200);
    for (let each = 0; each < 3; each++) await callAll(node.port);
    await node.holds(); // what linking did is not of interest
    const series = (await get(node.adminPort, '/metrics', true)).text.match(/^gatehouse_engine_requests_total\{/gm).length;
    const quiet = [];
    const scraped = [];
    const scrapes = [];
    const holds = { quiet: [], scraped: [] };
    for (let window = 0; window < WINDOWS; window++) {
      quiet.push(...(await load(node.port, WINDOW_MS)));
      holds.quiet.push(await node.holds());
      const loading = load(node.port, WINDOW_MS);
      const endMs = performance.now() + WINDOW_MS;
      while (performance.now() < endMs) {
        scrapes.push(await scrape(node.adminPort));
        await sleep(SCRAPE_PAUSE_MS);
      }
      scraped.push(...(await loading));
      holds.scraped.push(await node.holds());
    }
    report({ series, quiet, scraped, scrapes, holds });
  } finally {
    node?.child.kill('SIGKILL');
    await control.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function report({ series, quiet, scraped, scrapes, holds }) {
  const times = scrapes.map(({ ms }) => ms);
  const max = (windows) => Math.max(...windows.map((hold) => hold.max)).toFixed(1);
  console.log(`series ${series}, page ${(scrapes[0].bytes / 1e6).toFixed(1)} MB, ${scrapes.length} scrapes`);
  console.log(`scrape, to its last byte: p50 ${at(times, 50)} ms, longest ${at(times, 100)} ms`);
  console.log(`event loop held at most: ${max(holds.scraped)} ms while scraped, ${max(holds.quiet)} ms otherwise`);
  for (const [name, values] of Object.entries({ quiet, scraped }))
    console.log(
      `requests, ${name}: p50 ${at(values, 50)} ms, p99 ${at(values, 99)} ms, longest ${at(values, 100)} ms, ${values.length} of them`,
    );
}

const at = (values, percent) =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil((percent / 100) * values.length) - 1)].toFixed(1);

async function publishAll(store) {
  for (let stage = 0; stage < STAGES; stage++) {
    const tenant = tenants[stage % TENANTS];
    const apiId = apiOf(stage);
    const routes = Array.from({ length: ROUTES }, (_, index) =>
      routeSnapshot({ resourceId: `res${index}`, path: pathOf(index), apiKeyRequired: true }),
    );
    const bytes = Buffer.from(canonicalJson(stageSnapshot({ tenant, apiId, routes })));
    await store.tenants.transact(tenant, async (tx) =>
      tx.manifest.put('STAGE', `${apiId}/dev`, { digest: await tx.blobs.put(bytes), blobBytes: bytes.length, inline: '' }),
    );
  }
  for (const [index, tenant] of tenants.entries()) {
    const apiStages = Array.from({ length: STAGES }, (_, stage) => stage)
      .filter((stage) => stage % TENANTS === index)
      .map((stage) => ({ apiId: apiOf(stage), stage: 'dev', methodThrottles: {} }));
    await store.tenants.transact(tenant, async (tx) => {
      const put = (kind, id, entry) => tx.manifest.put(kind, id, { digest: null, blobBytes: 0, inline: canonicalJson(entry) });
      await put('USAGE_PLAN', `plan${index}`, { usagePlanId: `plan${index}`, tenant, throttle: null, quota: null, apiStages });
      for (let key = index; key < KEYS; key += TENANTS) {
        const entry = {
          apiKeyId: `key${key}`,
          tenant,
          valueDigest: sha256Hex(keyOf(key)),
          enabled: true,
          usagePlanIds: [`plan${index}`],
        };
        await put('API_KEY', `key${key}`, entry);
      }
    });
  }
}

const apiOf = (stage) => `api${String(stage).padStart(7, '0')}`;
const pathOf = (index) => `/customers/orders/items/${index}`;

async function startNode(root, folder, controlPort) {
  const probe = path.join(folder, 'probe.mjs');
  const holdsFile = path.join(folder, 'holds.json');
  writeFileSync(probe, PROBE);
  const child = fork(path.join(root, 'apps/data-plane/dist/main.js'), [], {
    env: {
      GATEHOUSE_NODE_TOKEN: TOKEN.reveal(),
      GATEHOUSE_PORT: '0',
      GATEHOUSE_NODE_ADMIN_PORT: '0',
      GATEHOUSE_CONTROL_ADDRESS: `127.0.0.1:${controlPort}`,
      GATEHOUSE_DATA_DIR: path.join(folder, 'node'),
      GATEHOUSE_ACCESS_LOG: 'off',
      GATEHOUSE_BENCH_PROBE: holdsFile,
    },
    execArgv: ['--import', probe],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ports = await new Promise((resolve) => {
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
      const line = output.split('\n').find((candidate) => candidate.includes('"msg":"listening"'));
      if (line !== undefined) resolve(JSON.parse(line));
    });
  });
  const holds = async () => {
    rmSync(holdsFile, { force: true });
    child.kill('SIGUSR2');
    await until(() => get(ports.adminPort, '/healthz'));
    for (;;) {
      try {
        return JSON.parse(readFileSync(holdsFile, 'utf8'));
      } catch {
        await sleep(10);
      }
    }
  };
  return { child, holds, port: ports.port, adminPort: ports.adminPort };
}

/** Every route once, with keys in turn. */
async function callAll(port) {
  for (let stage = 0; stage < STAGES; stage++)
    for (let from = 0; from < ROUTES; from += 50)
      await Promise.all(Array.from({ length: 50 }, (_, index) => callRoute(port, stage, from + index)));
}

async function callRoute(port, stage, route) {
  const key = (stage % TENANTS) + TENANTS * (route % Math.floor(KEYS / TENANTS));
  const { status } = await get(port, `/_aws/execute-api/${apiOf(stage)}/dev${pathOf(route)}`, false, { 'x-api-key': keyOf(key) });
  if (status !== 200) throw new Error(`route ${route} of stage ${stage} answered ${status}`);
}

/** In a process of its own: a page of 30 MB is work for who reads it, too. */
async function scrape(port) {
  const { stdout } = await promisify(execFile)('curl', [
    '-s',
    '-o',
    '/dev/null',
    '-w',
    '%{time_total} %{size_download}',
    `http://127.0.0.1:${port}/metrics`,
  ]);
  const [seconds, bytes] = stdout.split(' ').map(Number);
  return { ms: seconds * 1_000, bytes };
}

/** A steady rate, whatever the answers take; returns their times in milliseconds. */
async function load(port, durationMs) {
  const startMs = performance.now();
  const calls = [];
  for (let sent = 0; ; sent++) {
    const dueMs = startMs + (sent * 1_000) / REQUESTS_PER_SECOND;
    if (dueMs > startMs + durationMs) break;
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) await sleep(earlyMs);
    const sentMs = performance.now();
    calls.push(callRoute(port, sent % STAGES, (sent * 7) % ROUTES).then(() => performance.now() - sentMs));
  }
  return Promise.all(calls);
}

function get(port, url, isKept = false, headers = {}) {
  return new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path: url, agent, headers }, (response) => {
        let bytes = 0;
        const chunks = [];
        response.on('data', (chunk) => {
          bytes += chunk.length;
          if (isKept) chunks.push(chunk);
        });
        response.on('end', () =>
          resolve({ status: response.statusCode, bytes, text: isKept ? Buffer.concat(chunks).toString() : null }),
        );
        response.on('error', reject);
      })
      .on('error', reject);
  });
}

async function until(isDone) {
  while (!(await isDone().catch(() => false))) await sleep(50);
}
