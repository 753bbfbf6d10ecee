import type { FunctionEntry } from '@gatehouse/contracts';
import type { Lambda } from '@gatehouse/aws-api';
import { ApiError, InMemoryStore, tenantId, type ManifestEntry } from '@gatehouse/domain';
import { ManualClock, sha256Hex, SequentialIds } from '@gatehouse/kernel';
import { buffer } from 'node:stream/consumers';
import yazl from 'yazl';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FUNCTION_OPERATION_NAMES, functionOperations, ScriptedInvoker, type FunctionOperations } from './index.js';

const TENANT = tenantId('111122223333');
const STRANGER = tenantId('999988887777');
const ROLE = 'arn:aws:iam::000000000000:role/lambda';
const ARN = 'arn:aws:lambda:us-east-1:111122223333:function:users';

let zip: Uint8Array;
let otherZip: Uint8Array;
beforeAll(async () => {
  zip = await zipOf({ 'index.js': 'exports.handler = async () => 1' });
  otherZip = await zipOf({ 'index.js': 'exports.handler = async () => 2' });
});

let store: InMemoryStore;
let clock: ManualClock;
let invoker: ScriptedInvoker;
let api: FunctionOperations;
beforeEach(() => {
  clock = new ManualClock(Date.UTC(2026, 4, 6, 7, 8, 9, 10));
  store = new InMemoryStore(clock);
  invoker = new ScriptedInvoker();
  api = functionOperations({ store: store.tenants, clock, ids: new SequentialIds(), invoker });
});

type Name = keyof FunctionOperations;
function run<N extends Name>(
  name: N,
  input: Lambda.Operations[N]['input'],
  tenant = TENANT,
): Promise<Lambda.Operations[N]['output']> {
  const caller = { tenant, accessKeyId: 'AKIAX', principalArn: `arn:aws:iam::${tenant}:root`, region: 'us-east-1' };
  const handler = api[name] as unknown as (
    context: object,
    input: Lambda.Operations[N]['input'],
  ) => Promise<Lambda.Operations[N]['output']>;
  return handler({ caller, requestId: 'the-request', headers: {} }, input);
}

const create = (over: Partial<Lambda.CreateFunctionRequest> = {}, tenant = TENANT) =>
  run(
    'CreateFunction',
    { FunctionName: 'users', Role: ROLE, Runtime: 'nodejs22.x', Handler: 'index.handler', Code: { ZipFile: zip }, ...over },
    tenant,
  );

async function refused<T>(work: Promise<T>): Promise<{ type: string; status: number; message: string }> {
  const error: unknown = await work.then(
    () => null,
    (cause: unknown) => cause,
  );
  if (!(error instanceof ApiError)) throw new Error('expected a refusal', { cause: error });
  return { type: error.type, status: error.status, message: error.message };
}

const notFound = (arn: string) => ({ type: 'ResourceNotFoundException', status: 404, message: `Function not found: ${arn}` });

async function entries(): Promise<Record<string, ManifestEntry & { entry: FunctionEntry }>> {
  const all = await store.manifest.all(['FUNCTION']);
  return Object.fromEntries(
    all.map((entry) => [entry.id, { ...entry, entry: JSON.parse(entry.content!.inline) as FunctionEntry }]),
  );
}

const CREATED = {
  FunctionName: 'users',
  FunctionArn: ARN,
  Runtime: 'nodejs22.x',
  Role: ROLE,
  Handler: 'index.handler',
  Description: '',
  Timeout: 3,
  MemorySize: 128,
  LastModified: '2026-05-06T07:08:09.010+0000',
  Version: '$LATEST',
  Environment: undefined,
  TracingConfig: { Mode: 'PassThrough' },
  State: 'Active',
  LastUpdateStatus: 'Successful',
  PackageType: 'Zip',
  Architectures: ['x86_64'],
  EphemeralStorage: { Size: 512 },
  SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
  LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/users' },
};

test('what is named as handled is what is handled', () => {
  expect(Object.keys(api).sort()).toEqual([...FUNCTION_OPERATION_NAMES].sort());
});

describe('functions', () => {
  test('CreateFunction answers the configuration and publishes the entry with the code', async () => {
    const created = await create({ Environment: { Variables: { COLOUR: 'red' } } });
    const digest = sha256Hex(zip);
    expect(created).toEqual({
      ...CREATED,
      CodeSize: zip.byteLength,
      CodeSha256: Buffer.from(digest, 'hex').toString('base64'),
      RevisionId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) as string,
      Environment: { Variables: { COLOUR: 'red' } },
    });
    const published = (await entries())['111122223333:users:$LATEST'];
    expect(published?.content).toMatchObject({ digest, blobBytes: zip.byteLength });
    expect(published?.entry).toEqual({
      tenant: TENANT,
      region: 'us-east-1',
      functionName: 'users',
      version: '$LATEST',
      runtime: 'nodejs22.x',
      handler: 'index.handler',
      timeoutMs: 3_000,
      memoryMb: 128,
      environment: { COLOUR: 'red' },
      aliases: [],
      weightedAliases: {},
      reservedConcurrency: null,
      permissions: [],
      codeSha256: created.CodeSha256,
    });
    expect(await store.manifest.blob(digest)).toEqual(zip);
  });

  test('GetFunction knows the function by name, partial ARN and ARN', async () => {
    const created = await create({ Tags: { team: 'a' } });
    for (const FunctionName of ['users', 'function:users', '111122223333:function:users', ARN]) {
      expect(await run('GetFunction', { FunctionName })).toEqual({
        Configuration: created,
        Code: { RepositoryType: 'S3' },
        Tags: { team: 'a' },
        Concurrency: undefined,
      });
    }
    expect((await run('GetFunctionConfiguration', { FunctionName: 'users', Qualifier: '$LATEST' })).FunctionArn).toBe(
      `${ARN}:$LATEST`,
    );
  });

  test('a whole ARN names the function in its region, or nothing', async () => {
    await create();
    const elsewhere = ARN.replace('us-east-1', 'eu-west-1');
    expect(await refused(run('GetFunction', { FunctionName: elsewhere }))).toEqual(notFound(elsewhere));
    expect(await refused(run('DeleteFunction', { FunctionName: elsewhere }))).toEqual(notFound(elsewhere));
  });

  test('a name that exists is a conflict, and leaves nothing behind', async () => {
    await create();
    expect(await refused(create({ Code: { ZipFile: otherZip } }))).toEqual({
      type: 'ResourceConflictException',
      status: 409,
      message: 'Function already exist: users',
    });
    expect((await entries())['111122223333:users:$LATEST']?.content?.digest).toBe(sha256Hex(zip));
  });

  test("another tenant's function answers like one that does not exist", async () => {
    await create();
    for (const name of [
      'GetFunction',
      'GetFunctionConfiguration',
      'DeleteFunction',
      'ListVersionsByFunction',
      'GetPolicy',
      'PublishVersion',
      'ListAliases',
      'GetFunctionConcurrency',
    ] as const) {
      expect([name, await refused(run(name, { FunctionName: ARN }, STRANGER))]).toEqual([name, notFound(ARN)]);
      expect([name, await refused(run(name, { FunctionName: 'users' }, STRANGER))]).toEqual([
        name,
        notFound('arn:aws:lambda:us-east-1:999988887777:function:users'),
      ]);
    }
    expect(await run('ListFunctions', {}, STRANGER)).toEqual({ Functions: [], NextMarker: undefined });
    await create({}, STRANGER);
    expect(await refused(run('GetFunction', { FunctionName: ARN }, STRANGER))).toEqual(notFound(ARN));
  });

  const invalid = (message: string) => ({ type: 'InvalidParameterValueException', status: 400, message });
  const validation = (message: string) => ({
    type: 'ValidationException',
    status: 400,
    message: `1 validation error detected: ${message}`,
  });
  for (const [what, over, expected] of [
    [
      'code in S3',
      { Code: { S3Bucket: 'b', S3Key: 'k' } },
      invalid('Code in Amazon S3 is not supported by this gateway. Upload the code as ZipFile.'),
    ],
    ['no code', { Code: {} }, invalid('Please provide a source for function code.')],
    [
      'a zip that is none',
      { Code: { ZipFile: Buffer.from('hello') } },
      invalid('Could not unzip uploaded file. Please check your file, then try to upload again.'),
    ],
    [
      'no runtime',
      { Runtime: undefined },
      invalid('Runtime and Handler are mandatory parameters for functions created with deployment packages.'),
    ],
    [
      'a runtime that cannot be run',
      { Runtime: 'java21' },
      invalid('The runtime parameter of java21 is not supported by this gateway. Use nodejs*, python3.* or provided*.'),
    ],
    [
      'a timeout too long',
      { Timeout: 901 },
      validation("Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"),
    ],
    [
      'too little memory',
      { MemorySize: 64 },
      validation("Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"),
    ],
    [
      'a role that is none',
      { Role: 'admin' },
      validation(
        "Value 'admin' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
      ),
    ],
    [
      'a reserved variable',
      { Environment: { Variables: { AWS_REGION: 'x' } } },
      invalid(
        'Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_REGION',
      ),
    ],
    [
      'variables above 4 KB',
      { Environment: { Variables: { BIG: 'x'.repeat(4096) } } },
      invalid(
        'Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.',
      ),
    ],
    [
      'two architectures',
      { Architectures: ['x86_64', 'arm64'] },
      validation(
        "Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1",
      ),
    ],
    [
      'a handler with a space',
      { Handler: 'index handler' },
      validation(
        "Value 'index handler' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\\s]+",
      ),
    ],
    [
      'a timeout of nothing',
      { Timeout: 0 },
      validation("Value '0' at 'timeout' failed to satisfy constraint: Member must have value greater than or equal to 1"),
    ],
    [
      'too much memory',
      { MemorySize: 10_241 },
      validation(
        "Value '10241' at 'memorySize' failed to satisfy constraint: Member must have value less than or equal to 10240",
      ),
    ],
    [
      'too little storage',
      { EphemeralStorage: { Size: 511 } },
      validation(
        "Value '511' at 'ephemeralStorage.size' failed to satisfy constraint: Member must have value greater than or equal to 512",
      ),
    ],
    [
      'a variable that is no name',
      { Environment: { Variables: { '1X': 'x' } } },
      validation(
        "Value '1X' at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
      ),
    ],
    [
      '51 tags',
      { Tags: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`t${index}`, ''])) },
      invalid('The number of tags exceeds the limit of 50.'),
    ],
    [
      'a tag that the store would lose',
      { Tags: JSON.parse('{"__proto__":"x"}') as Record<string, string> },
      invalid('Invalid tag "__proto__": this name cannot be stored.'),
    ],
    [
      'JSON logs',
      { LoggingConfig: { LogFormat: 'JSON' } },
      invalid('LoggingConfig.LogFormat JSON is not supported by this gateway.'),
    ],
    [
      'a log group of its own',
      { LoggingConfig: { LogGroup: 'mine' } },
      invalid('A log group of its own is not supported by this gateway.'),
    ],
    ['a qualifier', { FunctionName: 'users:live' }, invalid('The function name must not have a qualifier.')],
    [
      'the ARN of another region',
      { FunctionName: ARN.replace('us-east-1', 'eu-west-1') },
      {
        type: 'ResourceNotFoundException',
        status: 404,
        message: "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
      },
    ],
    ['layers', { Layers: ['arn:aws:lambda:us-east-1:1:layer:x:1'] }, invalid('Layers is not supported by this gateway.')],
    ['a network of its own', { VpcConfig: { SubnetIds: ['subnet-1'] } }, invalid('VpcConfig is not supported by this gateway.')],
    ['a container image', { PackageType: 'Image' }, invalid('PackageType Image is not supported by this gateway.')],
    [
      'a name that is a path',
      { FunctionName: '../x' },
      {
        type: 'ValidationException',
        status: 400,
        message: expect.stringContaining("Value '../x' at 'functionName' failed to satisfy constraint") as string,
      },
    ],
  ] as const) {
    test(`CreateFunction refuses ${what}, and writes nothing`, async () => {
      expect(await refused(create(over as Partial<Lambda.CreateFunctionRequest>))).toEqual(expected);
      expect(await run('ListFunctions', {})).toMatchObject({ Functions: [] });
      expect(await store.manifest.head()).toBe(0);
    });
  }

  test('the empty settings that tools send by habit are fine', async () => {
    await create({
      VpcConfig: { SubnetIds: [], SecurityGroupIds: [] },
      DeadLetterConfig: {},
      Layers: [],
      KMSKeyArn: '',
      SnapStart: { ApplyOn: 'None' },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/users' },
      TracingConfig: { Mode: 'Active' },
    });
    expect(await run('GetFunctionConfiguration', { FunctionName: 'users' })).toMatchObject({ TracingConfig: { Mode: 'Active' } });
  });

  test('UpdateFunctionCode changes code, revision and entry', async () => {
    const created = await create();
    clock.advance(1_000);
    const updated = await run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip });
    expect(updated.CodeSha256).toBe(Buffer.from(sha256Hex(otherZip), 'hex').toString('base64'));
    expect(updated.RevisionId).not.toBe(created.RevisionId);
    expect(updated.LastModified).toBe('2026-05-06T07:08:10.010+0000');
    expect((await entries())['111122223333:users:$LATEST']?.content?.digest).toBe(sha256Hex(otherZip));
  });

  test('DryRun of UpdateFunctionCode changes nothing', async () => {
    const created = await create();
    await run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip, DryRun: true });
    expect(await run('GetFunctionConfiguration', { FunctionName: 'users' })).toEqual(created);
  });

  test('UpdateFunctionConfiguration changes what it names and keeps the rest', async () => {
    await create({ Description: 'old', Environment: { Variables: { COLOUR: 'red' } } });
    expect(await run('UpdateFunctionConfiguration', { FunctionName: 'users', Timeout: 9 })).toMatchObject({
      Timeout: 9,
      Description: 'old',
      Environment: { Variables: { COLOUR: 'red' } },
    });
    expect(await run('UpdateFunctionConfiguration', { FunctionName: 'users', Environment: {} })).toMatchObject({
      Timeout: 9,
      Environment: undefined,
    });
    expect((await entries())['111122223333:users:$LATEST']?.entry).toMatchObject({ timeoutMs: 9_000, environment: {} });
  });

  test('a change with an old RevisionId is refused', async () => {
    const { RevisionId } = await create();
    await run('UpdateFunctionConfiguration', { FunctionName: 'users', Timeout: 9, RevisionId });
    for (const work of [
      () => run('UpdateFunctionConfiguration', { FunctionName: 'users', Timeout: 10, RevisionId }),
      () => run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip, RevisionId }),
      () => run('PublishVersion', { FunctionName: 'users', RevisionId }),
    ]) {
      expect(await refused(work())).toEqual({
        type: 'PreconditionFailedException',
        status: 412,
        message:
          'The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
      });
    }
  });

  test('CreateFunction with Publish answers version 1 under the unqualified ARN', async () => {
    expect(await create({ Publish: true })).toMatchObject({ Version: '1', FunctionArn: ARN });
    expect(Object.keys(await entries()).sort()).toEqual(['111122223333:users:$LATEST', '111122223333:users:1']);
  });

  test('UpdateFunctionCode with Publish answers the new version; $LATEST has the same code', async () => {
    await create();
    const published = await run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip, Publish: true });
    expect(published).toMatchObject({ Version: '1', FunctionArn: `${ARN}:1` });
    const digests = Object.values(await entries()).map(({ id, content }) => [id, content?.digest]);
    expect(Object.fromEntries(digests)).toEqual({
      '111122223333:users:$LATEST': sha256Hex(otherZip),
      '111122223333:users:1': sha256Hex(otherZip),
    });
  });

  test('a change publishes only what it changes', async () => {
    await create({ Publish: true });
    const before = (await entries())['111122223333:users:1']?.revision;
    await run('UpdateFunctionConfiguration', { FunctionName: 'users', Timeout: 9 });
    const head = await store.manifest.head();
    await run('TagResource', { Resource: ARN, Tags: { a: '1' } });
    expect([(await entries())['111122223333:users:1']?.revision, await store.manifest.head()]).toEqual([before, head]);
  });

  test('DeleteFunction takes versions, aliases, policies and entries with it', async () => {
    await create({ Publish: true });
    await run('CreateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '1' });
    expect(await run('DeleteFunction', { FunctionName: 'users' })).toEqual({ StatusCode: 204 });
    expect(await refused(run('GetFunction', { FunctionName: 'users' }))).toEqual(notFound(ARN));
    expect(await entries()).toEqual({});
    await create();
    expect(await run('ListAliases', { FunctionName: 'users' })).toMatchObject({ Aliases: [] });
  });

  test('ListFunctions pages by name; with ALL it shows the versions', async () => {
    for (const FunctionName of ['c', 'a', 'b']) await create({ FunctionName, Publish: FunctionName === 'a' });
    const first = await run('ListFunctions', { MaxItems: 2 });
    const second = await run('ListFunctions', { MaxItems: 2, Marker: first.NextMarker });
    expect([first, second].map(({ Functions }) => Functions?.map(({ FunctionName }) => FunctionName))).toEqual([
      ['a', 'b'],
      ['c'],
    ]);
    expect(second.NextMarker).toBeUndefined();
    const all = await run('ListFunctions', { FunctionVersion: 'ALL' });
    expect(all.Functions?.map(({ FunctionName, Version }) => `${FunctionName}:${Version}`)).toEqual([
      'a:$LATEST',
      'a:1',
      'b:$LATEST',
      'c:$LATEST',
    ]);
    expect(first.Functions?.[0]?.State).toBeUndefined();
  });

  test('reserved concurrency is kept and published', async () => {
    await create();
    expect(await run('PutFunctionConcurrency', { FunctionName: 'users', ReservedConcurrentExecutions: 5 })).toEqual({
      ReservedConcurrentExecutions: 5,
    });
    expect(await run('GetFunctionConcurrency', { FunctionName: 'users' })).toEqual({ ReservedConcurrentExecutions: 5 });
    expect((await entries())['111122223333:users:$LATEST']?.entry.reservedConcurrency).toBe(5);
    for (const [count, message] of [
      [
        -1,
        "1 validation error detected: Value '-1' at 'reservedConcurrentExecutions' failed to satisfy constraint: Member must have value greater than or equal to 0",
      ],
      [
        901,
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100].",
      ],
    ] as const) {
      expect(
        (await refused(run('PutFunctionConcurrency', { FunctionName: 'users', ReservedConcurrentExecutions: count }))).message,
      ).toBe(message);
    }
    expect(
      (await refused(run('PutFunctionConcurrency', { FunctionName: 'users:live', ReservedConcurrentExecutions: 1 }))).message,
    ).toMatch(/^This operation is permitted on Lambda functions only\./);
    await run('DeleteFunctionConcurrency', { FunctionName: 'users' });
    expect((await run('GetFunction', { FunctionName: 'users' })).Concurrency).toBeUndefined();
  });

  test('tags are added, replaced and removed by ARN', async () => {
    await create({ Tags: { a: '1' } });
    await run('TagResource', { Resource: ARN, Tags: { a: '2', b: '3' } });
    expect(await run('ListTags', { Resource: ARN })).toEqual({ Tags: { a: '2', b: '3' } });
    await run('UntagResource', { Resource: ARN, TagKeys: ['a', 'z'] });
    expect(await run('ListTags', { Resource: ARN })).toEqual({ Tags: { b: '3' } });
    expect(await refused(run('ListTags', { Resource: `${ARN}x` }))).toEqual(notFound(`${ARN}x`));
    expect((await refused(run('TagResource', { Resource: `${ARN}:1`, Tags: { a: '1' } }))).message).toBe(
      'Tags on function aliases and versions are not supported. Please specify a function ARN.',
    );
    expect((await refused(run('TagResource', { Resource: ARN, Tags: { 'aws:x': '1' } }))).type).toBe(
      'InvalidParameterValueException',
    );
    expect(await run('ListTags', { Resource: ARN })).toEqual({ Tags: { b: '3' } });
    expect(await refused(run('TagResource', { Resource: ARN, Tags: { a: '1' } }, STRANGER))).toEqual(notFound(ARN));
  });

  test('there is no code signing', async () => {
    await create();
    expect(await run('GetFunctionCodeSigningConfig', { FunctionName: 'users' })).toEqual({
      CodeSigningConfigArn: '',
      FunctionName: 'users',
    });
  });
});

describe('versions and aliases', () => {
  test('PublishVersion freezes $LATEST under the next number, and only when something changed', async () => {
    await create();
    expect(await run('PublishVersion', { FunctionName: 'users', Description: 'one' })).toMatchObject({
      Version: '1',
      FunctionArn: `${ARN}:1`,
      Description: 'one',
    });
    expect(await run('PublishVersion', { FunctionName: 'users' })).toMatchObject({ Version: '1' });
    await run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip });
    expect(await run('PublishVersion', { FunctionName: 'users' })).toMatchObject({ Version: '2' });
    expect(
      (await run('ListVersionsByFunction', { FunctionName: 'users' })).Versions?.map(({ Version, FunctionArn }) => [
        Version,
        FunctionArn,
      ]),
    ).toEqual([
      ['$LATEST', `${ARN}:$LATEST`],
      ['1', `${ARN}:1`],
      ['2', `${ARN}:2`],
    ]);
    expect(await run('GetFunctionConfiguration', { FunctionName: 'users', Qualifier: '1' })).toMatchObject({
      CodeSize: zip.byteLength,
      Version: '1',
    });
    expect(Object.keys(await entries())).toEqual(['111122223333:users:1', '111122223333:users:$LATEST', '111122223333:users:2']);
  });

  test('PublishVersion with another CodeSha256 is refused', async () => {
    await create();
    expect(await refused(run('PublishVersion', { FunctionName: 'users', CodeSha256: 'x' }))).toMatchObject({
      type: 'InvalidParameterValueException',
      message: expect.stringContaining('CodeSHA256 (x) is different from current CodeSHA256 in $LATEST') as string,
    });
  });

  test('ListVersionsByFunction pages', async () => {
    await create({ Publish: true });
    const first = await run('ListVersionsByFunction', { FunctionName: 'users', MaxItems: 1 });
    expect(first).toMatchObject({ Versions: [{ Version: '$LATEST' }], NextMarker: expect.any(String) as string });
    expect(await run('ListVersionsByFunction', { FunctionName: 'users', Marker: first.NextMarker })).toMatchObject({
      Versions: [{ Version: '1' }],
      NextMarker: undefined,
    });
  });

  test('a version that an alias uses cannot be deleted; one that nobody uses can', async () => {
    await create({ Publish: true });
    await run('CreateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '1' });
    expect(await refused(run('DeleteFunction', { FunctionName: 'users', Qualifier: '1' }))).toEqual({
      type: 'ResourceConflictException',
      status: 409,
      message: 'Unable to delete version because the following aliases reference it: [live]',
    });
    await run('DeleteAlias', { FunctionName: 'users', Name: 'live' });
    await run('DeleteFunction', { FunctionName: 'users', Qualifier: '1' });
    expect(await refused(run('GetFunction', { FunctionName: 'users', Qualifier: '1' }))).toEqual(notFound(`${ARN}:1`));
    expect(Object.keys(await entries())).toEqual(['111122223333:users:$LATEST']);
  });

  test('deleting a version that is not there changes nothing', async () => {
    await create({ Publish: true });
    const head = await store.manifest.head();
    expect(await run('DeleteFunction', { FunctionName: 'users', Qualifier: '99' })).toEqual({ StatusCode: 204 });
    expect(await store.manifest.head()).toBe(head);
  });

  test('$LATEST and aliases cannot be deleted as versions', async () => {
    await create();
    expect((await refused(run('DeleteFunction', { FunctionName: 'users:live' }))).message).toBe(
      'Deletion of aliases is not currently supported.',
    );
    expect((await refused(run('DeleteFunction', { FunctionName: 'users', Qualifier: '$LATEST' }))).message).toBe(
      '$LATEST version cannot be deleted without deleting the function.',
    );
  });

  test('an alias names a version, moves to another, and both entries say so', async () => {
    await create({ Publish: true });
    await run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip, Publish: true });
    const created = await run('CreateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '1', Description: 'd' });
    expect(created).toEqual({
      AliasArn: `${ARN}:live`,
      Name: 'live',
      FunctionVersion: '1',
      Description: 'd',
      RoutingConfig: undefined,
      RevisionId: expect.any(String) as string,
    });
    expect(await run('GetFunctionConfiguration', { FunctionName: `${ARN}:live` })).toMatchObject({
      Version: '1',
      FunctionArn: `${ARN}:live`,
    });
    expect((await entries())['111122223333:users:1']?.entry.aliases).toEqual(['live']);
    await run('UpdateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '2' });
    const after = await entries();
    expect([after['111122223333:users:1']?.entry.aliases, after['111122223333:users:2']?.entry.aliases]).toEqual([[], ['live']]);
    expect(await run('GetAlias', { FunctionName: 'users', Name: 'live' })).toMatchObject({
      FunctionVersion: '2',
      Description: 'd',
    });
    expect(await run('ListAliases', { FunctionName: 'users', FunctionVersion: '1' })).toMatchObject({ Aliases: [] });
  });

  test('an alias with weights stands in the entries of both versions', async () => {
    await create({ Publish: true });
    await run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip, Publish: true });
    await run('CreateAlias', {
      FunctionName: 'users',
      Name: 'live',
      FunctionVersion: '1',
      RoutingConfig: { AdditionalVersionWeights: { '2': 0.25 } },
    });
    await run('AddPermission', {
      FunctionName: 'users',
      Qualifier: 'live',
      StatementId: 's',
      Action: 'lambda:InvokeFunction',
      Principal: 'apigateway.amazonaws.com',
    });
    const { '111122223333:users:2': second, '111122223333:users:$LATEST': latest } = await entries();
    expect(second?.entry).toMatchObject({ aliases: [], weightedAliases: { live: 0.25 }, permissions: [{ qualifier: 'live' }] });
    expect(latest?.entry.permissions).toEqual([]);
    await run('UpdateAlias', { FunctionName: 'users', Name: 'live', RoutingConfig: {} });
    expect((await entries())['111122223333:users:2']?.entry).toMatchObject({ weightedAliases: {}, permissions: [] });
  });

  for (const [what, over, message] of [
    ['a version that does not exist', { FunctionVersion: '7' }, `Function not found: ${ARN}:7`],
    [
      'a name that is a number',
      { Name: '12' },
      "1 validation error detected: Value '12' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)",
    ],
    [
      'weights over $LATEST',
      { FunctionVersion: '$LATEST', RoutingConfig: { AdditionalVersionWeights: { '1': 0.5 } } },
      '$LATEST is not supported for an alias pointing to more than 1 version',
    ],
    [
      'a weight above 1',
      { RoutingConfig: { AdditionalVersionWeights: { '2': 1.5 } } },
      expect.stringContaining('Map value must satisfy constraint') as string,
    ],
  ] as const) {
    test(`CreateAlias refuses ${what}`, async () => {
      await create({ Publish: true });
      expect(
        (await refused(run('CreateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '1', ...over }))).message,
      ).toEqual(message);
    });
  }

  test('an alias that exists is a conflict, one that does not is not found, and deleting twice is fine', async () => {
    await create();
    await run('CreateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '$LATEST' });
    expect(await refused(run('CreateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '$LATEST' }))).toEqual({
      type: 'ResourceConflictException',
      status: 409,
      message: `Alias already exists: ${ARN}:live`,
    });
    await run('DeleteAlias', { FunctionName: 'users', Name: 'live' });
    await run('DeleteAlias', { FunctionName: 'users', Name: 'live' });
    expect(await refused(run('GetAlias', { FunctionName: 'users', Name: 'live' }))).toEqual({
      type: 'ResourceNotFoundException',
      status: 404,
      message: `Cannot find alias arn: ${ARN}:live`,
    });
  });
});

describe('resource policies', () => {
  const statement = {
    FunctionName: 'users',
    StatementId: 'gateway',
    Action: 'lambda:InvokeFunction',
    Principal: 'apigateway.amazonaws.com',
    SourceArn: 'arn:aws:execute-api:us-east-1:111122223333:api/*/GET/users',
  };

  test('a permission is shown as its statement, stands in the policy, and is published', async () => {
    await create();
    const expected = {
      Sid: 'gateway',
      Effect: 'Allow',
      Principal: { Service: 'apigateway.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Resource: ARN,
      Condition: { ArnLike: { 'AWS:SourceArn': statement.SourceArn } },
    };
    // As text: clients compare it.
    expect((await run('AddPermission', statement)).Statement).toBe(JSON.stringify(expected));
    const { Policy, RevisionId } = await run('GetPolicy', { FunctionName: 'users' });
    expect(JSON.parse(Policy!)).toEqual({ Version: '2012-10-17', Id: 'default', Statement: [expected] });
    expect(RevisionId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect((await entries())['111122223333:users:$LATEST']?.entry.permissions).toEqual([
      {
        qualifier: '',
        statementId: 'gateway',
        action: 'lambda:InvokeFunction',
        principal: 'apigateway.amazonaws.com',
        sourceArn: statement.SourceArn,
        sourceAccount: null,
      },
    ]);
  });

  for (const [principal, shown] of [
    ['*', '*'],
    ['123456789012', { AWS: 'arn:aws:iam::123456789012:root' }],
    ['arn:aws:iam::123456789012:user/x', { AWS: 'arn:aws:iam::123456789012:user/x' }],
  ] as const) {
    test(`principal ${principal}`, async () => {
      await create();
      const { Statement } = await run('AddPermission', { ...statement, Principal: principal, SourceAccount: '111122223333' });
      expect(JSON.parse(Statement!)).toMatchObject({
        Principal: shown,
        Condition: { StringEquals: { 'AWS:SourceAccount': '111122223333' } },
      });
    });
  }

  test('a version and an alias have policies of their own', async () => {
    await create({ Publish: true });
    await run('CreateAlias', { FunctionName: 'users', Name: 'live', FunctionVersion: '1' });
    for (const Qualifier of ['1', 'live']) {
      const { Statement } = await run('AddPermission', { ...statement, Qualifier });
      expect(JSON.parse(Statement!)).toMatchObject({ Resource: `${ARN}:${Qualifier}` });
    }
    expect(JSON.parse((await run('GetPolicy', { FunctionName: `${ARN}:live` })).Policy!)).toMatchObject({
      Statement: [{ Resource: `${ARN}:live` }],
    });
    expect((await refused(run('GetPolicy', { FunctionName: 'users' }))).message).toBe(
      'The resource you requested does not exist.',
    );
    const published = await entries();
    expect(published['111122223333:users:1']?.entry.permissions.map(({ qualifier }) => qualifier)).toEqual(['1', 'live']);
    expect(published['111122223333:users:$LATEST']?.entry.permissions).toEqual([]);
  });

  test('a policy belongs to something that exists', async () => {
    await create();
    expect(await refused(run('AddPermission', { ...statement, Qualifier: '7' }))).toEqual(notFound(`${ARN}:7`));
    expect(await refused(run('AddPermission', { ...statement, FunctionName: ARN }, STRANGER))).toEqual(notFound(ARN));
    expect((await refused(run('RemovePermission', { FunctionName: 'users', StatementId: 'gateway' }))).message).toBe(
      'No policy is associated with the given resource.',
    );
  });

  test('a statement id may be used once', async () => {
    await create();
    await run('AddPermission', statement);
    expect(await refused(run('AddPermission', statement))).toMatchObject({
      type: 'ResourceConflictException',
      message:
        'The statement id (gateway) provided already exists. Please provide a new statement id, or remove the existing statement.',
    });
  });

  test('RemovePermission takes the statement away, and the last one takes the policy', async () => {
    await create();
    await run('AddPermission', statement);
    const { RevisionId } = await run('GetPolicy', { FunctionName: 'users' });
    expect(await refused(run('RemovePermission', { FunctionName: 'users', StatementId: 'other' }))).toMatchObject({
      message: 'Statement other is not found in resource policy.',
    });
    expect(
      await refused(run('RemovePermission', { FunctionName: 'users', StatementId: 'gateway', RevisionId: 'old' })),
    ).toMatchObject({ type: 'PreconditionFailedException' });
    await run('RemovePermission', { FunctionName: 'users', StatementId: 'gateway', RevisionId });
    expect(await refused(run('GetPolicy', { FunctionName: 'users' }))).toEqual({
      type: 'ResourceNotFoundException',
      status: 404,
      message: 'The resource you requested does not exist.',
    });
    expect((await entries())['111122223333:users:$LATEST']?.entry.permissions).toEqual([]);
  });

  for (const [what, over, message] of [
    [
      'a principal that is none',
      { Principal: 'somebody' },
      'The provided principal was invalid. Please check the principal and try again.',
    ],
    ['a condition nobody would check', { PrincipalOrgID: 'o-1234567890' }, 'PrincipalOrgID is not supported by this gateway.'],
    ['a policy for $LATEST', { Qualifier: '$LATEST' }, 'We currently do not support adding policies for $LATEST.'],
    [
      'a statement id with a space',
      { StatementId: 'a b' },
      "1 validation error detected: Value 'a b' at 'statementId' failed to satisfy constraint: Member must satisfy regular expression pattern: ([a-zA-Z0-9-_]+)",
    ],
    [
      'an action of another service',
      { Action: 's3:GetObject' },
      "1 validation error detected: Value 's3:GetObject' at 'action' failed to satisfy constraint: Member must satisfy regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])",
    ],
    [
      'an account that is none',
      { SourceAccount: 'me' },
      "1 validation error detected: Value 'me' at 'sourceAccount' failed to satisfy constraint: Member must satisfy regular expression pattern: \\d{12}",
    ],
    [
      'a source that is no ARN',
      { SourceArn: 'api' },
      expect.stringContaining("Value 'api' at 'sourceArn' failed to satisfy constraint") as string,
    ],
  ] as const) {
    test(`AddPermission refuses ${what}`, async () => {
      await create();
      expect(await refused(run('AddPermission', { ...statement, ...over }))).toMatchObject({ status: 400, message });
      expect((await entries())['111122223333:users:$LATEST']?.entry.permissions).toEqual([]);
    });
  }
});

describe('Invoke', () => {
  test('the call goes to the runner with the revision of the version it means', async () => {
    await create({ Publish: true });
    invoker.answer = { payload: Buffer.from('[1]'), logResult: 'bG9n', functionError: 'Unhandled', executedVersion: '1' };
    const payload = Buffer.from('{}');
    expect(
      await run('Invoke', { FunctionName: 'users', Qualifier: '1', LogType: 'Tail', Payload: payload, ClientContext: 'e30=' }),
    ).toEqual({
      StatusCode: 200,
      FunctionError: 'Unhandled',
      LogResult: 'bG9n',
      ExecutedVersion: '1',
      Payload: Buffer.from('[1]'),
    });
    expect(invoker.calls).toEqual([
      {
        functionArn: `${ARN}:1`,
        type: 'RequestResponse',
        wantsLogTail: true,
        clientContext: 'e30=',
        traceId: undefined,
        payload,
        requestId: 'the-request',
        caller: TENANT,
        revision: (await entries())['111122223333:users:1']?.revision,
      },
    ]);
  });

  test('an asynchronous call and a dry run answer as the runner does, without a payload', async () => {
    await create();
    for (const [InvocationType, status] of [
      ['Event', 202],
      ['DryRun', 204],
    ] as const) {
      invoker.answer = { status, payload: new Uint8Array(), executedVersion: undefined };
      expect(await run('Invoke', { FunctionName: 'users', InvocationType })).toMatchObject({
        StatusCode: status,
        Payload: new Uint8Array(),
      });
    }
    expect(invoker.calls.map(({ type }) => type)).toEqual(['Event', 'DryRun']);
  });

  test('a call by an alias waits for the versions it has left, too', async () => {
    await create({ Publish: true });
    await run('UpdateFunctionCode', { FunctionName: 'users', ZipFile: otherZip, Publish: true });
    await run('CreateAlias', {
      FunctionName: 'users',
      Name: 'live',
      FunctionVersion: '1',
      RoutingConfig: { AdditionalVersionWeights: { '2': 0.5 } },
    });
    await run('UpdateAlias', { FunctionName: 'users', Name: 'live', RoutingConfig: {} });
    await run('Invoke', { FunctionName: 'users:live' });
    expect(invoker.calls).toMatchObject([
      { functionArn: `${ARN}:live`, revision: (await entries())['111122223333:users:2']?.revision },
    ]);
    expect(invoker.calls[0]?.revision).toBe(await store.manifest.head());
  });

  test('a function that does not exist never reaches the runner', async () => {
    expect(await refused(run('Invoke', { FunctionName: 'users', Qualifier: 'live' }))).toEqual(notFound(`${ARN}:live`));
    expect(invoker.calls).toEqual([]);
  });

  test("a call of another account's function is for its policy to decide", async () => {
    await create();
    invoker.answer = new ApiError('AccessDeniedException', 403, 'no');
    expect(await refused(run('Invoke', { FunctionName: ARN }, STRANGER))).toEqual({
      type: 'AccessDeniedException',
      status: 403,
      message: 'no',
    });
    expect(invoker.calls).toMatchObject([{ functionArn: ARN, caller: STRANGER, revision: null }]);
  });

  test('a qualifier in the name and another beside it do not go together', async () => {
    expect(await refused(run('Invoke', { FunctionName: 'users:1', Qualifier: '2' }))).toMatchObject({
      type: 'InvalidParameterValueException',
      message: 'The derived qualifier from the function name does not match the specified qualifier.',
    });
  });
});

async function zipOf(files: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const file = new yazl.ZipFile();
  for (const [name, text] of Object.entries(files)) file.addBuffer(Buffer.from(text), name);
  file.end();
  return new Uint8Array(await buffer(file.outputStream));
}
