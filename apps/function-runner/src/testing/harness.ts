/** For specs: a runner on a port of its own, with functions made from source text. */
import { INVOKE_HEADERS, type FunctionEntry, type FunctionPermission } from '@gatehouse/contracts';
import { canonicalJson, Secret, sha256Hex, systemClock } from '@gatehouse/kernel';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import { ManifestCatalog } from '../catalog.js';
import { openRunner, type Runner, type RunnerOptions } from '../runner.js';

export const ACCOUNT = '111122223333';
export const TOKEN = 'node-token-of-the-test';

export interface TestFunction extends Partial<Omit<FunctionEntry, 'permissions'>> {
  /** File name to text; `mode` of the zip entries is 0755. */
  readonly files?: Readonly<Record<string, string>>;
  readonly zip?: Buffer;
  readonly permissions?: readonly Partial<FunctionPermission>[];
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly functionError: string | null;
  /** The body as JSON. */
  readonly json: unknown;
  readonly log: string;
}

export class RunnerHarness {
  private revision = 0;
  private readonly blobs = new Map<string, Buffer>();

  private constructor(
    /** The state folder of the installation. */
    readonly home: string,
    readonly dataDir: string,
    readonly catalog: ManifestCatalog,
    readonly runner: Runner,
    readonly url: string,
  ) {}

  static async start(options: Partial<RunnerOptions> = {}): Promise<RunnerHarness> {
    const home = await mkdtemp(path.join(tmpdir(), 'gatehouse-runner-'));
    const dataDir = path.join(home, 'runner');
    const catalog = new ManifestCatalog();
    const runner = await openRunner({
      catalog,
      dataDir,
      userIdBase: 210_000,
      nodeToken: new Secret(TOKEN),
      region: 'us-east-1',
      limits: { perFunction: 10, total: 50, idleMs: 60_000, queueMs: 0 },
      clock: systemClock,
      log: { info: () => {}, warn: () => {}, error: (fields) => console.error(fields) },
      isReady: () => true,
      ...options,
    });
    runner.server.listen(0, '127.0.0.1');
    await once(runner.server, 'listening');
    return new RunnerHarness(home, dataDir, catalog, runner, `http://127.0.0.1:${(runner.server.address() as AddressInfo).port}`);
  }

  /** Publishes `$LATEST` or the version given, and returns its revision. */
  async publish(functionName: string, { files, zip, permissions, ...rest }: TestFunction): Promise<number> {
    const bytes = zip ?? (await zipOf(files ?? {}));
    const digest = sha256Hex(bytes);
    this.blobs.set(digest, bytes);
    const entry = functionEntry(functionName, {
      ...rest,
      permissions,
      codeSha256: Buffer.from(digest, 'hex').toString('base64'),
    });
    const id = `${entry.tenant}:${functionName}:${entry.version}`;
    const content = { digest, blobBytes: bytes.length, inline: canonicalJson(entry) };
    this.catalog.apply(
      {
        revision: ++this.revision,
        entries: [{ kind: 'FUNCTION', id, tenant: entry.tenant, revision: this.revision, ...content }],
        removed: [],
      },
      async (wanted) => this.blobs.get(wanted) ?? null,
    );
    return this.revision;
  }

  async invoke(name: string, event: unknown = {}, headers: Record<string, string> = {}): Promise<Answer> {
    return this.invokeRaw(name, JSON.stringify(event), headers);
  }

  async invokeRaw(name: string, body: string | Buffer, headers: Record<string, string> = {}, query = ''): Promise<Answer> {
    const reference = name.startsWith('arn:') ? name : `${ACCOUNT}:function:${name}`;
    const response = await fetch(`${this.url}/2015-03-31/functions/${encodeURIComponent(reference)}/invocations${query}`, {
      method: 'POST',
      body: new Uint8Array(Buffer.from(body)),
      headers: { authorization: `Bearer ${TOKEN}`, [INVOKE_HEADERS.logType]: 'Tail', ...headers },
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    return {
      status: response.status,
      headers: response.headers,
      body: bytes,
      functionError: response.headers.get(INVOKE_HEADERS.functionError),
      get json(): unknown {
        return JSON.parse(bytes.toString());
      },
      log: Buffer.from(response.headers.get(INVOKE_HEADERS.logResult) ?? '', 'base64').toString(),
    };
  }

  async close(): Promise<void> {
    await this.runner.close(1_000);
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function functionEntry(
  functionName: string,
  { permissions, ...rest }: Omit<TestFunction, 'files' | 'zip'> = {},
): FunctionEntry {
  return {
    tenant: ACCOUNT,
    region: 'us-east-1',
    functionName,
    version: '$LATEST',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    timeoutMs: 10_000,
    memoryMb: 256,
    environment: {},
    aliases: [],
    weightedAliases: {},
    reservedConcurrency: null,
    codeSha256: '',
    permissions: (permissions ?? []).map((permission, index) => ({
      qualifier: '',
      statementId: `s${index}`,
      action: 'lambda:InvokeFunction',
      principal: '*',
      sourceArn: null,
      sourceAccount: null,
      ...permission,
    })),
    ...rest,
  };
}

export async function zipOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const zip = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files))
    zip.addBuffer(Buffer.from(text), name, { mode: 0o100755, mtime: new Date(2026, 0, 1) });
  zip.end();
  return buffer(zip.outputStream);
}
