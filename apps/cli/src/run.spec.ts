import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import type { ExplainAnswer } from '@gatehouse/contracts';
import { Secret, systemClock } from '@gatehouse/kernel';
import { readClaim, SignatureVerifier } from '@gatehouse/sigv4';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HELP, run } from './run.js';

const SECRET = 'a-secret-of-a-test';
const counted = { usagePlanId: 'plan', apiKeyId: 'key', day: '2026-01-05', count: 1 };
const verifier = new SignatureVerifier(systemClock);

/** Answers as the admin API does, to whoever signed as API Gateway's clients do. */
const server = http.createServer(async (request, response) => {
  if (request.url!.startsWith('/admin/v1/tenants/')) {
    const allowed = request.headers.authorization === `Bearer ${SECRET}`;
    response.statusCode = allowed ? 200 : 403;
    const asked = `${request.method} ${request.url} ${await text(request)}`.trim();
    if (allowed && request.url!.endsWith('/quotas')) {
      response.end(JSON.stringify({ tenant: asked, quotas: { resources: 7, stages: 10 }, own: { resources: 7 } }));
      return;
    }
    response.end(JSON.stringify(allowed ? { tenant: asked, pool: 'eu', isDefault: request.method === 'DELETE' } : {}));
    return;
  }
  const body = await buffer(request);
  const signed = {
    method: request.method!,
    rawUrl: request.url!,
    headers: request.headers as Record<string, string>,
    body,
  };
  const credential = { secret: new Secret(SECRET), enabled: true, session: null };
  const policy = { services: ['apigateway'], isValidRegion: () => true };
  const read = readClaim(signed);
  const fault = 'fault' in read ? read.fault : verifier.verify(signed, read.claim, credential, policy);
  response.statusCode = fault === null ? 200 : 403;
  if (fault === null && request.url!.startsWith('/admin/v1/apis/')) {
    response.end(JSON.stringify(stagesAnswer(`${request.method} ${request.url} ${body.toString()}`.trim())));
    return;
  }
  if (fault === null && request.url!.startsWith('/admin/v1/requests/')) {
    response.end(JSON.stringify(explainAnswer(decodeURIComponent(request.url!.split('/').at(-1)!))));
    return;
  }
  response.end(JSON.stringify(fault ?? { tenant: 't', items: [counted], position: null }));
});

/** What the control plane would say; where it has room for a text, what it was asked. */
function stagesAnswer(asked: string): object {
  const change = { path: '/pets GET timeout', kind: 'changed', before: 1, after: 'x'.repeat(70), concerns: [] };
  const added = { path: '/pets POST', kind: 'added', before: null, after: {}, concerns: ['authorization', 'keys'] };
  if (asked.includes('from=equal')) return { count: 0, changes: [] };
  if (asked.includes('/diff?')) return { count: 3, changes: [{ ...added, kind: 'removed', path: asked }, added, change] };
  if (asked.includes('/rollback')) return { stageName: asked, deploymentId: 'dep', revision: asked.includes('same') ? null : 7 };
  const isLast = asked.includes('position=1');
  const period = { deploymentId: 'dep', description: asked, cause: 'ROLLED_BACK', since: 'S', until: null, isDeleted: isLast };
  return { stageName: 'prod', items: [period], position: isLast ? null : '1' };
}

function explainAnswer(requestId: string): ExplainAnswer {
  const why = 'ACCESS_DENIED: judging: a statement denies it';
  return {
    nodeId: 'node-1',
    explanation: {
      requestId,
      receivedAt: '2026-01-05T10:00:00.000Z',
      route: { apiId: 'api', stage: 'prod', deploymentId: 'dep', resource: '/pets/{id}', httpMethod: 'GET' },
      request: { httpMethod: 'GET', path: '/prod/pets/7\u001b[31m', sourceIp: '198.51.100.7', bodyBytes: 0 },
      caller: { principalId: 'ann', authorizer: 'asked', authorizerLatencyMs: 12, apiKeyId: 'key', usagePlanId: 'plan' },
      steps: [
        { half: 'request', name: 'authorize', verdict: 'failed', why },
        { half: 'request', name: 'integrate', verdict: 'not run', why: '' },
      ],
      fault: {
        name: 'ACCESS_DENIED',
        responseType: 'ACCESS_DENIED',
        source: 'caller',
        retry: false,
        message: 'no',
        doing: 'judging',
        cause: null,
      },
      upstream: { url: 'http://backend/pets', startedAfterMs: 1, latencyMs: 20, status: null, bodyBytes: null },
      response: { status: 403, latencyMs: 21.5, bodyBytes: 30, callerLeft: false },
      detail: {
        because: 'fault',
        events: [{ afterMs: 0, type: 'RECEIVED', headers: ['Accept', '*/*'], query: [], body: null }],
        denial: { resource: 'arn:x', statementIndex: 1, statement: { Effect: 'Deny' } },
        template: { half: 'request', name: 'application/json', line: 3, column: 4, reason: 'no such thing', input: '{}' },
        invalidBody: null,
        response: { headers: [], body: null },
        isCut: false,
      },
    },
  };
}

const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-cli-'));
const equal = path.join(folder, 'equal.log');
let environment: Record<string, string>;
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  environment = {
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    AWS_ACCESS_KEY_ID: 'AKIATEST',
    AWS_SECRET_ACCESS_KEY: SECRET,
  };
  writeFileSync(equal, `{"tenant":"t","apiKeyId":"key","usagePlanId":"plan","usageDay":"2026-01-05"}\n`);
  writeFileSync(path.join(folder, 'empty.log'), '');
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function called(args: readonly string[], over: Record<string, string> = {}) {
  let stdout = '';
  let stderr = '';
  const output = { stdout: { write: (text: string) => (stdout += text) }, stderr: { write: (text: string) => (stderr += text) } };
  const code = await run(args, { ...environment, ...over }, output);
  return { code, stdout, stderr };
}

const DAYS = ['--from', '2026-01-05', '--to', '2026-01-05'];

test('equal sums end with 0, a difference with 1', async () => {
  const { code, stdout } = await called(['verify-usage', ...DAYS, '--access-log', equal]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('Equal, for every plan, key and day.')]);
  expect(await called(['verify-usage', ...DAYS, '--access-log', path.join(folder, 'empty.log')])).toMatchObject({ code: 1 });
});

test('files of one pattern are all read, and one that is given twice counts once', async () => {
  const { code, stdout } = await called(['verify-usage', ...DAYS, '--access-log', equal, path.join(folder, 'empty.log'), equal]);
  expect([code, stdout]).toEqual([0, expect.stringContaining('access log  1 requests')]);
});

test('--json prints the whole report', async () => {
  const { stdout } = await called(['verify-usage', ...DAYS, '--access-log', equal, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ isEqual: true, inLog: 1, inSums: 1, differences: [] });
});

test('--help prints the help', async () => expect(await called(['--help'])).toEqual({ code: 0, stdout: HELP, stderr: '' }));

for (const [what, args, over, message] of [
  ['no command', [], {}, 'Which command? There are verify-usage, diff, history, rollback, explain, placement and quotas; got ""'],
  [
    'a day that is none',
    ['verify-usage', '--from', '2026-02-30'],
    {},
    '--from: expected a day like 2026-01-31, got "2026-02-30"',
  ],
  [
    'an end before the start',
    ['verify-usage', '--from', '2026-01-02', '--to', '2026-01-01'],
    {},
    '--to: expected a day that is not',
  ],
  ['no log', ['verify-usage', ...DAYS], {}, '--access-log: expected at least one file'],
  ['an unknown option', ['verify-usage', '--all'], {}, "Unknown option '--all'"],
  ['no credentials', ['verify-usage', ...DAYS, '--access-log', equal], { AWS_ACCESS_KEY_ID: '' }, 'AWS_ACCESS_KEY_ID'],
  ['a wrong secret', ['verify-usage', ...DAYS, '--access-log', equal], { AWS_SECRET_ACCESS_KEY: 'wrong' }, 'answers 403'],
  [
    'a control plane that is not there',
    ['verify-usage', ...DAYS, '--access-log', equal],
    { AWS_ENDPOINT_URL: 'http://127.0.0.1:1' },
    'No answer from the control plane at http://127.0.0.1:1',
  ],
  ['a log that is not there', ['verify-usage', ...DAYS, '--access-log', '/none/access.log'], {}, 'ENOENT'],
] as [string, string[], Record<string, string>, string][]) {
  test(`what cannot be found out ends with 2 and says why: ${what}`, async () => {
    const { code, stderr, stdout } = await called(args, over);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(message)]);
  });
}

test("placement asks, changes and clears with the operator token, and not with a tenant's keys", async () => {
  const token = { GATEHOUSE_OPERATOR_TOKEN: SECRET, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
  const of = ['placement', '--tenant', '111111111111'];
  const at = '/admin/v1/tenants/111111111111/placement';
  expect(await called(of, token)).toEqual({ code: 0, stdout: `Tenant GET ${at} is served by pool eu.\n`, stderr: '' });
  const { stdout } = await called([...of, '--pool', 'eu', '--json'], token);
  expect(JSON.parse(stdout)).toEqual({ tenant: `PUT ${at} {"pool":"eu"}`, pool: 'eu', isDefault: false });
  expect((await called([...of, '--clear'], token)).stdout).toContain(
    `DELETE ${at} is served by pool eu, as nothing else is said`,
  );
  expect(await called([...of], { GATEHOUSE_OPERATOR_TOKEN: 'other' })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('answers 403'),
  });
  expect(await called(of)).toMatchObject({ code: 2, stderr: expect.stringContaining('GATEHOUSE_OPERATOR_TOKEN is not set') });
  expect(await called(['placement', '--pool', 'eu', '--clear'], token)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^--tenant: .*\n--pool and --clear: /),
  });
});

test('quotas asks, sets some and clears all with the operator token', async () => {
  const token = { GATEHOUSE_OPERATOR_TOKEN: SECRET, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
  const of = ['quotas', '--tenant', '111111111111'];
  const at = '/admin/v1/tenants/111111111111/quotas';
  expect(await called(of, token)).toEqual({
    code: 0,
    stdout: `Quotas of tenant GET ${at}:\n  resources  7  (set by the operator)\n  stages     10\n`,
    stderr: '',
  });
  const { stdout } = await called([...of, '--set', 'resources=7', '--set', 'stages=default', '--json'], token);
  expect(JSON.parse(stdout)).toEqual({
    tenant: `PATCH ${at} {"resources":7,"stages":null}`,
    quotas: { resources: 7, stages: 10 },
    own: { resources: 7 },
  });
  expect((await called([...of, '--clear'], token)).stdout).toContain(`DELETE ${at}:`);
  expect(await called(of, { GATEHOUSE_OPERATOR_TOKEN: 'other' })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('answers 403'),
  });
  expect(await called(['quotas', '--set', 'resources', '--clear'], token)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^--tenant: .*\n--set: expected a quota like .* got "resources"\n--set and --clear: /),
  });
});

test('diff shows each change on a line, and ends with 1 when there is one', async () => {
  const { code, stdout } = await called(['diff', '--api', 'a b', '--from', 'stage:prod']);
  expect([code, stdout.split('\n')]).toEqual([
    1,
    [
      '- GET /admin/v1/apis/a%20b/diff?from=stage%3Aprod&to=draft  [authorization, keys]',
      '+ /pets POST  [authorization, keys]',
      `~ /pets GET timeout  1 -> "${'x'.repeat(59)}...`,
      '3 changes',
      '',
    ],
  ]);
  expect(await called(['diff', '--api', 'a', '--from', 'equal', '--to', 'dep'])).toEqual({
    code: 0,
    stdout: 'Nothing differs.\n',
    stderr: '',
  });
  expect(JSON.parse((await called(['diff', '--api', 'a', '--from', 'equal', '--json'])).stdout)).toEqual({
    count: 0,
    changes: [],
  });
  expect(await called(['diff'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/^--api: .*\n--from: /) });
});

test('history shows all pages', async () => {
  const at = 'GET /admin/v1/apis/a/stages/prod/history?limit=500';
  expect((await called(['history', '--api', 'a', '--stage', 'prod'])).stdout).toBe(
    `dep  S - now  rolled back  (${at})\ndep  S - now  rolled back  (deleted, ${at}&position=1)\n`,
  );
  expect(JSON.parse((await called(['history', '--api', 'a', '--stage', 'prod', '--json'])).stdout)).toMatchObject({
    stageName: 'prod',
    items: [{}, {}],
  });
  expect(await called(['history', '--api', 'a'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/^--stage: /) });
});

test('rollback names the deployment, or leaves it to the control plane, in a signed body', async () => {
  const at = 'POST /admin/v1/apis/a/stages/prod/rollback';
  expect(await called(['rollback', '--api', 'a', '--stage', 'prod', '--deployment', 'dep'])).toEqual({
    code: 0,
    stdout: `Stage ${at} {"deploymentId":"dep"} has deployment dep, published as revision 7.\n`,
    stderr: '',
  });
  expect((await called(['rollback', '--api', 'a', '--stage', 'prod', '--json'])).stdout).toContain(`"stageName": "${at} {}"`);
  expect((await called(['rollback', '--api', 'a', '--stage', 'same'])).stdout).toContain('has deployment dep already.');
  expect(await called(['rollback', '--stage', 'prod'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/^--api: /) });
});

test('explain tells a request as text that moves no cursor, or as JSON', async () => {
  const { code, stdout } = await called(['explain', 'id-1']);
  expect([code, stdout.split('\n')]).toEqual([
    0,
    [
      'GET /prod/pets/7\\u001b[31m  ->  403 in 21.5 ms, 30 bytes',
      'request id-1 of 198.51.100.7, 2026-01-05T10:00:00.000Z, served by node-1',
      'route   GET /pets/{id}, stage prod of api, deployment dep',
      'caller  ann, authorizer asked, 12 ms, key key, plan plan',
      'backend http://backend/pets  ->  no answer after 20 ms, called 1 ms after the request came',
      '',
      'request   authorize         FAILED  ACCESS_DENIED: judging: a statement denies it',
      'request   integrate         -',
      '',
      'ACCESS_DENIED (gateway response ACCESS_DENIED): no',
      'to mend by: caller; worth another try: no',
      '',
      'denied for arn:x by statement 1: {"Effect":"Deny"}',
      '',
      'request template application/json, line 3, column 4: no such thing',
      '  given {}',
      '',
      '+0 ms  RECEIVED',
      '  headers: Accept=*/*',
      '',
    ],
  ]);
  expect(JSON.parse((await called(['explain', 'id-1', '--json'])).stdout)).toEqual(explainAnswer('id-1'));
  expect(await called(['explain'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/^explain: expected one request id/),
  });
});
