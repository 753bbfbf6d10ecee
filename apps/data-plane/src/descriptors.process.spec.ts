// Fault 57, descriptors: a node that runs out of them sheds, and is as before when there are some again.
import { RawCaller, routeSnapshot, ScriptedUpstream, stageSnapshot } from '@gatehouse/testkit';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { NodeProcess } from './testing/node-process.js';

const HOST = 'abc123defg.execute-api.localhost';
const GET = `GET /dev HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const DESCRIPTORS = 160;
/** Far more than waiting costs, far less than a busy loop: that takes all of the time there is. */
const STARVED_MS = 2_000;
const STARVED_CPU_MS_MAX = 1_000;

let upstream: ScriptedUpstream;
let node: NodeProcess;
const callers: RawCaller[] = [];

beforeEach(async () => {
  upstream = await ScriptedUpstream.start(({ response }) => void response.end('ok'));
  const integration = {
    type: 'HTTP_PROXY' as const,
    uri: `${upstream.url}/x`,
    httpMethod: 'ANY',
    timeoutMs: 5_000,
    requestParameters: {},
    insecureSkipVerification: false,
  };
  const stage = stageSnapshot({ routes: [routeSnapshot({ integration }), routeSnapshot({ path: '/mock' })] });
  node = await NodeProcess.start({ stages: [stage], descriptors: DESCRIPTORS });
});
afterEach(async () => {
  for (const caller of callers.splice(0)) caller.close();
  await node.stop();
  await upstream.close();
});

async function connect(): Promise<RawCaller> {
  const caller = await RawCaller.connect(node.port);
  callers.push(caller);
  return caller;
}

/** The status of an answer on this connection; `cut` when it ends without one. */
async function ask(caller: RawCaller): Promise<string> {
  const before = caller.receivedText.length;
  caller.send(GET);
  const text = await caller.when((all) => all.length > before && all.endsWith('\r\n\r\nok'));
  return /^HTTP\/1\.1 (\d+)/.exec(text.slice(before))?.[1] ?? 'cut';
}

test('callers beyond what the descriptors allow are turned away, those it has go on, and it costs nothing while they wait', async () => {
  const flood: RawCaller[] = [];
  for (let i = 0; i < 3 * DESCRIPTORS; i++) flood.push(await connect());
  const answers = await Promise.all(flood.map(ask));
  const served = flood.filter((_, i) => answers[i] === '200');
  expect(served.length).toBeGreaterThan(20);
  expect(answers.filter((answer) => answer !== '200' && answer !== '503' && answer !== 'cut')).toEqual([]);
  expect(node.recorded.filter(({ status }) => status !== 200)).toEqual([]); // an upstream call found its descriptor each time

  const before = node.cpuMs;
  await new Promise((resolve) => setTimeout(resolve, STARVED_MS));
  expect(node.cpuMs - before).toBeLessThan(STARVED_CPU_MS_MAX);
  expect(await Promise.all(served.map(ask))).toEqual(served.map(() => '200'));

  for (const caller of flood) caller.close();
  await expect.poll(async () => ask(await connect()), { timeout: 5_000 }).toBe('200');
  expect(node.hasEnded).toBe(false);
});

test('an upstream call without a descriptor is 503 with its cause, blames no upstream, and the next one with a descriptor is served', async () => {
  const caller = await connect();
  caller.send(GET.replace('/dev', '/dev/mock'));
  await caller.until('HTTP/1.1 200 '); // so it was accepted
  limitDescriptors(0);
  // More than the failures after which a breaker opens or an address is left out.
  for (let i = 0; i < 40; i++) {
    caller.send(GET);
    await caller.when((all) => all.split('HTTP/1.1 503 ').length === i + 2);
  }
  expect(caller.receivedText).toContain('\r\nRetry-After: 1\r\n');
  expect(upstream.calls.length).toBe(0);
  limitDescriptors(DESCRIPTORS);
  const before = caller.receivedText.length;
  caller.send(GET);
  expect((await caller.when((all) => all.endsWith('ok'))).slice(before, before + 12)).toBe('HTTP/1.1 200');
  await expect.poll(() => node.recorded.length).toBe(42);
  expect(node.recorded[1]).toMatchObject({
    status: 503,
    fault: 'UPSTREAM_UNAVAILABLE',
    cause: 'this node has no file descriptor left (EMFILE)',
  });
});

/** For what is opened from now on; what is open stays open. */
function limitDescriptors(count: number): void {
  execFileSync('prlimit', ['--pid', String(node.pid), `--nofile=${count}:${DESCRIPTORS}`]);
}
