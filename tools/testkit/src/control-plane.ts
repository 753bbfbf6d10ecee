/**
 * The whole control plane in one process on a real PostgreSQL, driven as its users drive it: by unmodified AWS clients, and by
 * signed requests that no AWS client would send.
 */
import { buffer } from 'node:stream/consumers';
import { randomBytes } from 'node:crypto';
import { APIGateway } from '@aws-sdk/client-api-gateway';
import { Lambda } from '@aws-sdk/client-lambda';
import { STS } from '@aws-sdk/client-sts';
import { Secret, systemClock } from '@gatehouse/kernel';
import { SignatureV4 } from '@smithy/signature-v4';
import pg from 'pg';
import { ZipFile } from 'yazl';
import { callOnce, type CallerResponse } from './caller.js';
import { NodeSha256 } from './node-sha256.js';
import { startPostgres } from './postgres.js';
import { recordCalls } from './recorded-calls.js';

/** What is started; `startControlPlane` of apps/control-plane fits. */
export interface ControlPlaneParts<Plane> {
  migrate(databaseUrl: string): Promise<unknown>;
  start(config: TestConfig): Promise<Plane>;
}

export interface TestConfig {
  readonly databaseUrl: string;
  /** Empty: queue and lease book are in PostgreSQL. */
  readonly redisUrl: string;
  readonly masterKey: Secret;
  readonly nodeToken: Secret;
  readonly operatorToken: Secret;
  readonly bind: string;
  readonly adminPort: number;
  readonly grpcPort: number;
  readonly runnerUrl: string;
}

interface RunningPlane {
  readonly adminPort: number;
  readonly store: { readonly directory: { create(tenant: never, credentials: never): Promise<void> } };
  close(): Promise<void>;
}

export interface TestCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A request as it shall stand on the wire. */
export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Of the signature; API Gateway in us-east-1 now, unless told otherwise. `null` sends it unsigned. */
  readonly signature?: Partial<{ service: string; region: string; date: Date; credentials: TestCredentials }> | null;
}

export interface TestTenant {
  readonly account: string;
  readonly credentials: TestCredentials;
  readonly apiGateway: APIGateway;
  readonly lambda: Lambda;
  readonly sts: STS;
  send(request: RawRequest): Promise<CallerResponse>;
}

export interface ControlPlaneHouse<Plane> {
  readonly plane: Plane;
  readonly config: TestConfig;
  /** Makes a tenant of its own, with clients that do not retry. */
  tenant(): Promise<TestTenant>;
  query<Row extends pg.QueryResultRow>(sql: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Rows of every table that an operation may write to. */
  rowCounts(): Promise<Readonly<Record<string, number>>>;
  close(): Promise<void>;
}

export const TEST_REGION = 'us-east-1';

export async function startControlPlaneHouse<Plane extends RunningPlane>(
  { migrate, start }: ControlPlaneParts<Plane>,
  settings: Partial<TestConfig> = {},
): Promise<ControlPlaneHouse<Plane>> {
  const postgres = await startPostgres();
  await migrate(postgres.url);
  const config: TestConfig = {
    databaseUrl: postgres.url,
    redisUrl: '',
    masterKey: new Secret(randomBytes(32).toString('hex')),
    nodeToken: new Secret(randomBytes(16).toString('hex')),
    operatorToken: new Secret(randomBytes(16).toString('hex')),
    bind: '127.0.0.1',
    adminPort: 0,
    grpcPort: 0,
    runnerUrl: 'http://127.0.0.1:1',
    ...settings,
  };
  const plane = await start(config);
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 });
  pool.on('error', () => undefined); // tests kill connections
  const clients: { destroy(): void }[] = [];
  let tenants = 0;

  const query = async <Row extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<Row[]> =>
    (await pool.query<Row>(sql, [...values])).rows;
  return {
    plane,
    config,
    query,
    tenant: async () => {
      const account = String((111_111_111_111 * ++tenants) % 1e12).padStart(12, '0');
      const credentials = { accessKeyId: `AKIATEST${account}`, secretAccessKey: randomBytes(20).toString('hex') };
      const credential = {
        accessKeyId: credentials.accessKeyId,
        tenant: account,
        secret: new Secret(credentials.secretAccessKey),
        principalArn: `arn:aws:iam::${account}:user/admin`,
        enabled: true,
      };
      await plane.store.directory.create(
        { id: account, name: 'admin', createdAtMs: systemClock.nowMs() } as never,
        [credential] as never,
      );
      const options = { region: TEST_REGION, endpoint: `http://127.0.0.1:${plane.adminPort}`, credentials, maxAttempts: 1 };
      const tenant = {
        apiGateway: recordCalls(new APIGateway(options)),
        lambda: new Lambda(options),
        sts: new STS(options),
      };
      clients.push(...Object.values(tenant));
      return { ...tenant, account, credentials, send: (request) => sendSigned(plane.adminPort, credentials, request) };
    },
    rowCounts: async () => {
      const tables = await query<{ name: string }>(
        `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY 1`,
      );
      const counts: Record<string, number> = {};
      for (const { name } of tables)
        counts[name] = Number((await query<{ count: string }>(`SELECT count(*) FROM "${name}"`))[0]!.count);
      return counts;
    },
    close: async () => {
      for (const client of clients) client.destroy();
      await plane.close();
      await pool.end();
      await postgres.stop();
    },
  };
}

/** To a control plane on this machine. */
export async function sendSigned(port: number, credentials: TestCredentials, request: RawRequest): Promise<CallerResponse> {
  const { method = 'GET', path, query = {}, body, signature = {} } = request;
  const host = `127.0.0.1:${port}`;
  const unsigned = { method, protocol: 'http:', hostname: '127.0.0.1', port, path, query: { ...query }, body };
  const given = { host, ...request.headers };
  const headers =
    signature === null
      ? given
      : (
          await new SignatureV4({
            credentials: signature.credentials ?? credentials,
            region: signature.region ?? TEST_REGION,
            service: signature.service ?? 'apigateway',
            sha256: NodeSha256,
          }).sign({ ...unsigned, headers: given }, { signingDate: signature.date ?? new Date() })
        ).headers;
  const search = new URLSearchParams(query).toString();
  return callOnce(port, {
    httpMethod: method,
    path: search === '' ? path : `${path}?${search}`,
    headers: Object.entries(headers).flat(),
    ...(body !== undefined && { body }),
  });
}

/** What an answer of an AWS client holds, without what the client adds to it. */
export function answered<T extends object>(output: T): Omit<T, '$metadata'> {
  return withoutUndefined({ ...output, $metadata: undefined }) as Omit<T, '$metadata'>;
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutUndefined);
  if (value === null || typeof value !== 'object' || value instanceof Date || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, withoutUndefined(member)]),
  );
}

/** `404 NotFoundException: text`, as an AWS client sees it; `accepted` when it was no refusal. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'accepted';
  } catch (error) {
    const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
    if ($metadata?.httpStatusCode === undefined) throw error;
    return `${$metadata.httpStatusCode} ${name}: ${message}`;
  }
}

/** An API with a mock behind `GET /users`. */
export async function createMockApi(api: APIGateway, name = 'users') {
  const { id, rootResourceId } = await api.createRestApi({ name });
  const restApiId = id!;
  const { id: resourceId } = await api.createResource({ restApiId, parentId: rootResourceId!, pathPart: 'users' });
  const key = { restApiId, resourceId: resourceId!, httpMethod: 'GET' };
  await api.putMethod({ ...key, authorizationType: 'NONE' });
  await api.putMethodResponse({ ...key, statusCode: '200' });
  await api.putIntegration({ ...key, type: 'MOCK', requestTemplates: { 'application/json': '{"statusCode": 200}' } });
  await api.putIntegrationResponse({ ...key, statusCode: '200' });
  return { restApiId, rootId: rootResourceId!, key };
}

/** A package with one file, as Lambda takes it. */
export async function packageOf(name: string, text: string): Promise<Buffer> {
  const file = new ZipFile();
  file.addBuffer(Buffer.from(text), name);
  file.end();
  return buffer(file.outputStream);
}
