/** Temporary credentials: what STS hands out to the AWS SDK, at a real node and at the management API. */
import { STS } from '@aws-sdk/client-sts';
import { refreshAccessKeys } from '@gatehouse/control-publish';
import {
  createMockApi,
  refusalOf,
  sendSigned,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestCredentials,
  type TestTenant,
} from '@gatehouse/testkit';
import { startProcess, testFolder, type NodeProcess } from '@gatehouse/tools-node-link';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let scope: Awaited<ReturnType<typeof testFolder>>;
let tenant: TestTenant;
let node: NodeProcess;
let restApiId: string;

beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  scope = await testFolder();
  node = await startProcess(scope, house.plane.grpcPort, { env: { GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal() } });
  const { key } = await createMockApi(tenant.apiGateway, 'signed');
  restApiId = key.restApiId;
  await tenant.apiGateway.updateMethod({
    ...key,
    patchOperations: [{ op: 'replace', path: '/authorizationType', value: 'AWS_IAM' }],
  });
  await tenant.apiGateway.updateIntegrationResponse({
    ...key,
    statusCode: '200',
    patchOperations: [
      {
        op: 'add',
        path: '/responseTemplates/application~1json',
        value: '$context.identity.userArn $context.identity.user $context.identity.caller',
      },
    ],
  });
  await tenant.apiGateway.createDeployment({ restApiId, stageName: 'dev' });
}, 60_000);
afterAll(async () => {
  await scope.close();
  await house.close();
  expect(bugs).toEqual([]);
});

interface Session extends TestCredentials {
  readonly sessionToken: string;
}

const SOON = { timeout: 10_000, interval: 20 };
const ALLOW = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }] };
const INVALID = '403 {"message":"The security token included in the request is invalid."}';
const EXPIRED = '403 {"message":"The security token included in the request is expired"}';

async function admin<T>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await tenant.send({
    method,
    path: `/admin/v1${path}`,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(answer.status, answer.body.toString()).toBeLessThan(300);
  return (answer.body.length === 0 ? null : JSON.parse(answer.body.toString())) as T;
}

let users = 0;
let userName: string;
let key: TestCredentials;
beforeEach(async () => {
  userName = `user-${++users}`;
  key = await admin<TestCredentials>('POST', '/access-keys', { userName });
  await admin('PUT', `/users/${userName}/policy`, ALLOW);
});

const stsOf = (credentials: TestCredentials): STS =>
  new STS({ region: 'us-east-1', endpoint: `http://127.0.0.1:${house.plane.adminPort}`, credentials, maxAttempts: 1 });

async function sessionOf(credentials: TestCredentials, DurationSeconds?: number): Promise<Session & { expiration: Date }> {
  const { Credentials: made } = await stsOf(credentials).getSessionToken({ DurationSeconds });
  return {
    accessKeyId: made!.AccessKeyId!,
    secretAccessKey: made!.SecretAccessKey!,
    sessionToken: made!.SessionToken!,
    expiration: made!.Expiration!,
  };
}

/** What the node says to a request that was signed with these. */
async function call(credentials: TestCredentials): Promise<string> {
  const { status, body } = await sendSigned(node.port, credentials, {
    path: '/dev/users',
    headers: { host: `${restApiId}.execute-api.localhost` },
    signature: { service: 'execute-api' },
  });
  return status === 200 ? '200' : `${status} ${body.toString()}`;
}
const until = (credentials: TestCredentials, expected: string) =>
  vi.waitFor(async () => expect(await call(credentials)).toBe(expected), SOON);
const without = ({ accessKeyId, secretAccessKey }: Session): TestCredentials => ({ accessKeyId, secretAccessKey });
/** Moves the end of a session, which no caller can, and has the nodes told. */
async function endAt({ accessKeyId }: Session, ms: number): Promise<void> {
  await house.query('UPDATE sessions SET expires_at_ms = $1 WHERE access_key_id = $2', [ms, accessKeyId]);
  await admin('PUT', `/users/${userName}/policy`, { ...ALLOW, Id: 'again' });
}

describe('a session', () => {
  test('opens what its principal may call, and the request says whose it is', async () => {
    const session = await sessionOf(key);
    expect(session.accessKeyId).toMatch(/^ASIA[A-Z0-9]{16}$/);
    await until(session, '200');
    const { body } = await sendSigned(node.port, session, {
      path: '/dev/users',
      headers: { host: `${restApiId}.execute-api.localhost` },
      signature: { service: 'execute-api' },
    });
    const arn = `arn:aws:iam::${tenant.account}:user/${userName}`;
    expect(body.toString()).toBe(`${arn} ${key.accessKeyId} ${key.accessKeyId}`);
    expect(await stsOf(session).getCallerIdentity({})).toMatchObject({ Arn: arn, UserId: key.accessKeyId });
  });

  test('is refused without its token, with another one, and a long-lived key with any', async () => {
    const session = await sessionOf(key);
    await until(session, '200');
    expect(await call(without(session))).toBe(INVALID);
    expect(await call({ ...session, sessionToken: (await sessionOf(key)).sessionToken } as Session)).toBe(INVALID);
    expect(await call({ ...key, sessionToken: session.sessionToken } as Session)).toBe(INVALID);
    expect(await call(key)).toBe('200');
  });

  test('has expired after its end, and is forgotten later', async () => {
    const session = await sessionOf(key, 900);
    await until(session, '200');
    await endAt(session, Date.now() - 1);
    await until(session, EXPIRED);
    await refreshAccessKeys(house.plane.store, Date.now());
    expect(await refusalOf(stsOf(session).getCallerIdentity({}))).toBe(
      '403 ExpiredToken: The security token included in the request is expired',
    );
    await refreshAccessKeys(house.plane.store, Date.now() + 3_600_000);
    await until(session, INVALID);
    expect(await house.query('SELECT 1 FROM sessions WHERE access_key_id = $1', [session.accessKeyId])).toEqual([]);
  });

  test('goes with the key that it was made with', async () => {
    const session = await sessionOf(key);
    await until(session, '200');
    await admin('PATCH', `/access-keys/${key.accessKeyId}`, { enabled: false });
    await until(session, INVALID);
    expect(await refusalOf(stsOf(session).getCallerIdentity({}))).toMatch(/^403 InvalidClientTokenId: /);
    await admin('PATCH', `/access-keys/${key.accessKeyId}`, { enabled: true });
    await until(session, '200');
    await admin('DELETE', `/access-keys/${key.accessKeyId}`);
    await until(session, INVALID);
    const entries = await house.plane.store.manifest.all(['ACCESS_KEY']);
    expect(entries.map(({ id }) => id)).not.toContain(session.accessKeyId);
  });

  test('neither its secret nor its token is in what nodes are sent, and old nodes find no signing keys', async () => {
    const session = await sessionOf(key);
    const entries = await house.plane.store.manifest.all(['ACCESS_KEY']);
    const { inline } = entries.find(({ id }) => id === session.accessKeyId)!.content!;
    expect(inline).not.toContain(session.secretAccessKey);
    expect(inline).not.toContain(session.sessionToken);
    expect(JSON.parse(inline)).toMatchObject({ signingKeys: {} });
  });

  test('manages as the key does that it was made with, and cannot lock it out', async () => {
    const manager = await sessionOf(tenant.credentials);
    const send = (credentials: TestCredentials, method = 'GET', path = '/restapis', body?: string) =>
      sendSigned(house.plane.adminPort, credentials, { method, path, ...(body !== undefined && { body }) });
    expect((await send(manager)).status).toBe(200);
    const lost = await send(without(manager));
    expect([lost.status, lost.headers['x-amzn-errortype']]).toEqual([403, 'UnrecognizedClientException']);
    const own = `/admin/v1/access-keys/${tenant.credentials.accessKeyId}`;
    expect((await send(manager, 'DELETE', own)).status).toBe(409);
    expect((await send(manager, 'PATCH', own, '{"enabled": false}')).status).toBe(409);
    const ofCaller = await send(await sessionOf(key));
    expect(ofCaller.body.toString()).toContain('the access key is one for calls alone');
  });
});

describe('GetSessionToken', () => {
  test.each([
    [undefined, 43_200],
    [900, 900],
    [129_600, 129_600],
  ])('of %s seconds ends as asked', async (asked, seconds) => {
    const startMs = Math.floor(Date.now() / 1_000) * 1_000;
    const { expiration } = await sessionOf(key, asked);
    expect(expiration.getTime()).toBeGreaterThanOrEqual(startMs + seconds * 1_000);
    expect(expiration.getTime()).toBeLessThanOrEqual(Date.now() + seconds * 1_000);
  });

  const duration = (value: number, expected: string): string =>
    `400 ValidationError: 1 validation error detected: Value '${value}' at 'durationSeconds' failed to satisfy constraint: Member must have value ${expected}`;
  test.each([
    [{ DurationSeconds: 899 }, duration(899, 'greater than or equal to 900')],
    [{ DurationSeconds: -1 }, duration(-1, 'greater than or equal to 900')],
    [{ DurationSeconds: 129_601 }, duration(129_601, 'less than or equal to 129600')],
    [
      { SerialNumber: 'GAHT12345678', TokenCode: '123456' },
      '403 AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code.',
    ],
  ])('%j is refused', async (input, refusal) => {
    expect(await refusalOf(stsOf(key).getSessionToken(input))).toBe(refusal);
  });

  test('is refused to sessions', async () => {
    expect(await refusalOf(stsOf(await sessionOf(key)).getSessionToken({}))).toBe(
      '403 AccessDenied: Cannot call GetSessionToken with session credentials',
    );
  });
});
