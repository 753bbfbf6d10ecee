/** Lambda's function API through the unmodified client, with a scripted runner behind Invoke. */
import { createHash } from 'node:crypto';
import {
  paginateListAliases,
  paginateListFunctions,
  paginateListVersionsByFunction,
  waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
  type CreateFunctionCommandInput,
} from '@aws-sdk/client-lambda';
import {
  answered,
  packageOf,
  refusalOf,
  ScriptedUpstream,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let runner: ScriptedUpstream;
let tenant: TestTenant;
let lambda: TestTenant['lambda'];
let zip: Buffer;
beforeAll(async () => {
  runner = await ScriptedUpstream.start();
  house = await startControlPlaneHouse(composition, { runnerUrl: runner.url });
  zip = await packageOf('index.js', 'exports.handler = async () => "hello"');
});
beforeEach(async () => {
  tenant = await house.tenant();
  lambda = tenant.lambda;
});
afterAll(async () => {
  await house.close();
  await runner.close();
  expect(bugs).toEqual([]);
});

const arn = (suffix = ''): string => `arn:aws:lambda:us-east-1:${tenant.account}:function:users${suffix}`;
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64');
const minimal = (over: Partial<CreateFunctionCommandInput> = {}): CreateFunctionCommandInput => ({
  FunctionName: 'users',
  Role: `arn:aws:iam::${tenant.account}:role/r`,
  Runtime: 'nodejs22.x',
  Handler: 'index.handler',
  Code: { ZipFile: zip },
  ...over,
});

describe('the life of a function', () => {
  test('CreateFunction answers 201 with Lambda defaults; the waiters of the SDK find it active', async () => {
    const created = await lambda.createFunction(minimal());
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toStrictEqual({
      FunctionName: 'users',
      FunctionArn: arn(),
      Runtime: 'nodejs22.x',
      Role: minimal().Role,
      Handler: 'index.handler',
      CodeSize: zip.length,
      Description: '',
      Timeout: 3,
      MemorySize: 128,
      LastModified: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/),
      CodeSha256: sha256(zip),
      Version: '$LATEST',
      TracingConfig: { Mode: 'PassThrough' },
      RevisionId: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      State: 'Active',
      LastUpdateStatus: 'Successful',
      PackageType: 'Zip',
      Architectures: ['x86_64'],
      EphemeralStorage: { Size: 512 },
      SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
      LoggingConfig: { LogFormat: 'Text', LogGroup: '/aws/lambda/users' },
    });
    const waiting = { client: lambda, maxWaitTime: 5 };
    expect((await waitUntilFunctionActiveV2(waiting, { FunctionName: 'users' })).state).toBe('SUCCESS');
    expect((await waitUntilFunctionUpdatedV2(waiting, { FunctionName: 'users' })).state).toBe('SUCCESS');
    expect(answered(await lambda.getFunctionConfiguration({ FunctionName: arn() }))).toStrictEqual(answered(created));
    expect((await lambda.getFunction({ FunctionName: `${tenant.account}:function:users` })).Configuration).toMatchObject({
      FunctionArn: arn(),
    });
  });

  test('code and configuration change as Terraform and the CLI change them', async () => {
    const { RevisionId } = await lambda.createFunction(minimal({ Environment: { Variables: { AA: '1' } }, Tags: { team: 'a' } }));
    const next = await packageOf('index.js', 'exports.handler = async () => "bye"');
    const code = await lambda.updateFunctionCode({ FunctionName: 'users', ZipFile: next });
    expect(code).toMatchObject({ CodeSha256: sha256(next), CodeSize: next.length, Version: '$LATEST' });
    expect(code.RevisionId).not.toBe(RevisionId);
    const configured = await lambda.updateFunctionConfiguration({
      FunctionName: 'users',
      Description: 'd',
      Timeout: 30,
      MemorySize: 256,
      Handler: 'other.handler',
      Environment: { Variables: { BB: '2' } },
    });
    expect(configured).toMatchObject({
      Description: 'd',
      Timeout: 30,
      MemorySize: 256,
      Handler: 'other.handler',
      Environment: { Variables: { BB: '2' } },
    });
    expect(await refusalOf(lambda.updateFunctionConfiguration({ FunctionName: 'users', Timeout: 31, RevisionId }))).toMatch(
      /^412 PreconditionFailedException: /,
    );
    expect((await lambda.getFunctionConfiguration({ FunctionName: 'users' })).Timeout).toBe(30);
    expect((await lambda.listTags({ Resource: arn() })).Tags).toEqual({ team: 'a' });
    await lambda.tagResource({ Resource: arn(), Tags: { env: 'x' } });
    await lambda.untagResource({ Resource: arn(), TagKeys: ['team'] });
    expect((await lambda.getFunction({ FunctionName: 'users' })).Tags).toEqual({ env: 'x' });
    expect(answered(await lambda.getFunctionCodeSigningConfig({ FunctionName: 'users' }))).toEqual({
      CodeSigningConfigArn: '',
      FunctionName: 'users',
    });
    await lambda.putFunctionConcurrency({ FunctionName: 'users', ReservedConcurrentExecutions: 3 });
    expect((await lambda.getFunctionConcurrency({ FunctionName: 'users' })).ReservedConcurrentExecutions).toBe(3);
    await lambda.deleteFunctionConcurrency({ FunctionName: 'users' });
    expect((await lambda.getFunctionConcurrency({ FunctionName: 'users' })).ReservedConcurrentExecutions).toBeUndefined();
  });

  test('versions stay as they were published; aliases move between them', async () => {
    await lambda.createFunction(minimal());
    const first = await lambda.publishVersion({ FunctionName: 'users', Description: 'one' });
    expect(first).toMatchObject({ Version: '1', FunctionArn: arn(':1'), Description: 'one' });
    expect((await lambda.publishVersion({ FunctionName: 'users' })).Version, 'nothing changed').toBe('1');
    await lambda.updateFunctionConfiguration({ FunctionName: 'users', Timeout: 9 });
    expect((await lambda.publishVersion({ FunctionName: 'users' })).Version).toBe('2');
    expect((await lambda.getFunctionConfiguration({ FunctionName: 'users', Qualifier: '1' })).Timeout).toBe(3);

    const alias = await lambda.createAlias({ FunctionName: 'users', Name: 'live', FunctionVersion: '1' });
    expect(alias.$metadata.httpStatusCode).toBe(201);
    expect(answered(alias)).toStrictEqual({
      AliasArn: arn(':live'),
      Name: 'live',
      FunctionVersion: '1',
      Description: '',
      RevisionId: expect.any(String),
    });
    expect((await lambda.getFunctionConfiguration({ FunctionName: 'users', Qualifier: 'live' })).Timeout).toBe(3);
    await lambda.updateAlias({
      FunctionName: 'users',
      Name: 'live',
      FunctionVersion: '2',
      RoutingConfig: { AdditionalVersionWeights: { '1': 0.1 } },
    });
    expect(await lambda.getAlias({ FunctionName: 'users', Name: 'live' })).toMatchObject({
      FunctionVersion: '2',
      RoutingConfig: { AdditionalVersionWeights: { '1': 0.1 } },
    });
    expect(await refusalOf(lambda.createAlias({ FunctionName: 'users', Name: 'live', FunctionVersion: '1' }))).toBe(
      `409 ResourceConflictException: Alias already exists: ${arn(':live')}`,
    );
    expect(await refusalOf(lambda.deleteFunction({ FunctionName: 'users', Qualifier: '1' }))).toMatch(
      /^409 ResourceConflictException: .*\[live\]/,
    );
    await lambda.createAlias({ FunctionName: 'users', Name: 'beta', FunctionVersion: '1' });
    await lambda.createAlias({ FunctionName: 'users', Name: 'alpha', FunctionVersion: '1' });
    const aliases: (string | undefined)[] = [];
    for await (const { Aliases } of paginateListAliases({ client: lambda, pageSize: 2 }, { FunctionName: 'users' }))
      aliases.push(...Aliases!.map(({ Name }) => Name));
    expect(aliases).toEqual(['alpha', 'beta', 'live']);
    const versions: (string | undefined)[] = [];
    for await (const { Versions } of paginateListVersionsByFunction({ client: lambda, pageSize: 2 }, { FunctionName: 'users' })) {
      versions.push(...Versions!.map(({ Version }) => Version));
    }
    expect(versions).toEqual(['$LATEST', '1', '2']);
    expect((await lambda.deleteAlias({ FunctionName: 'users', Name: 'live' })).$metadata.httpStatusCode).toBe(204);
    expect(await refusalOf(lambda.getAlias({ FunctionName: 'users', Name: 'live' }))).toBe(
      `404 ResourceNotFoundException: Cannot find alias arn: ${arn(':live')}`,
    );
  });

  test('DeleteFunction answers 204, and takes versions, aliases and permissions along and from the nodes', async () => {
    await lambda.createFunction(minimal({ Publish: true }));
    await lambda.createAlias({ FunctionName: 'users', Name: 'live', FunctionVersion: '1' });
    await lambda.addPermission({ FunctionName: 'users', StatementId: 's', Action: 'lambda:InvokeFunction', Principal: '*' });
    const entries = () => house.query('SELECT id FROM manifest_entries WHERE tenant_id = $1 AND NOT removed', [tenant.account]);
    expect(await entries()).not.toEqual([]);
    expect(
      (await tenant.send({ method: 'DELETE', path: '/2015-03-31/functions/users', signature: { service: 'lambda' } })).status,
    ).toBe(204);
    expect(await entries()).toEqual([]);
    expect(await refusalOf(lambda.getFunction({ FunctionName: 'users' }))).toBe(
      `404 ResourceNotFoundException: Function not found: ${arn()}`,
    );
    for (const table of ['functions', 'function_versions', 'function_aliases', 'function_statements']) {
      expect(await house.query(`SELECT 1 FROM ${table} WHERE tenant_id = $1`, [tenant.account]), table).toEqual([]);
    }
    await lambda.createFunction(minimal());
  });

  test('ListFunctions pages through the SDK', async () => {
    for (const FunctionName of ['c', 'a', 'e', 'b', 'd']) await lambda.createFunction(minimal({ FunctionName }));
    const pages: (string | undefined)[][] = [];
    for await (const { Functions } of paginateListFunctions({ client: lambda, pageSize: 2 }, {}))
      pages.push(Functions!.map(({ FunctionName }) => FunctionName));
    expect(pages).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  for (const [name, over, refusal] of [
    ['a name that is taken', { FunctionName: 'taken' }, '409 ResourceConflictException: Function already exist: taken'],
    [
      'bytes that are no package',
      { Code: { ZipFile: Buffer.from('no zip') } },
      '400 InvalidParameterValueException: Could not unzip uploaded file. Please check your file, then try to upload again.',
    ],
    [
      'code in a bucket',
      { Code: { S3Bucket: 'b', S3Key: 'k' } },
      '400 InvalidParameterValueException: Code in Amazon S3 is not supported by this gateway. Upload the code as ZipFile.',
    ],
    [
      'layers',
      { Layers: ['arn:aws:lambda:us-east-1:1:layer:l:1'] },
      '400 InvalidParameterValueException: Layers is not supported by this gateway.',
    ],
    ['too long a timeout', { Timeout: 901 }, /^400 \w+Exception: /],
    ['too little memory', { MemorySize: 1 }, /^400 \w+Exception: /],
    [
      'a runtime nobody knows',
      { Runtime: 'cobol74' as 'nodejs22.x' },
      /^400 InvalidParameterValueException: Value cobol74 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \[.*\] or be a valid ARN$/,
    ],
  ] satisfies [string, Partial<CreateFunctionCommandInput>, string | RegExp][]) {
    test(`CreateFunction with ${name} is refused`, async () => {
      await lambda.createFunction(minimal({ FunctionName: 'taken' }));
      const before = await house.rowCounts();
      const text = await refusalOf(lambda.createFunction(minimal(over)));
      if (typeof refusal === 'string') expect(text).toBe(refusal);
      else expect(text).toMatch(refusal);
      expect(await house.rowCounts()).toEqual(before);
    });
  }

  test('a refusal says whose fault it was', async () => {
    await expect(lambda.getFunction({ FunctionName: 'nobody' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      Type: 'User',
    });
  });
});

describe('permissions', () => {
  test('are added, read as a policy document, and removed', async () => {
    await lambda.createFunction(minimal());
    const SourceArn = `arn:aws:execute-api:us-east-1:${tenant.account}:abc123defg/*/GET/users`;
    const added = await lambda.addPermission({
      FunctionName: 'users',
      StatementId: 'gateway',
      Action: 'lambda:InvokeFunction',
      Principal: 'apigateway.amazonaws.com',
      SourceArn,
    });
    expect(added.$metadata.httpStatusCode).toBe(201);
    const statement = {
      Sid: 'gateway',
      Effect: 'Allow',
      Principal: { Service: 'apigateway.amazonaws.com' },
      Action: 'lambda:InvokeFunction',
      Resource: arn(),
      Condition: { ArnLike: { 'AWS:SourceArn': SourceArn } },
    };
    expect(JSON.parse(added.Statement!)).toEqual(statement);
    const { Policy } = await lambda.getPolicy({ FunctionName: 'users' });
    expect(JSON.parse(Policy!)).toEqual({ Version: '2012-10-17', Id: 'default', Statement: [statement] });
    expect(
      await refusalOf(
        lambda.addPermission({ FunctionName: 'users', StatementId: 'gateway', Action: 'lambda:InvokeFunction', Principal: '*' }),
      ),
    ).toMatch(/^409 ResourceConflictException: The statement id \(gateway\) provided already exists\./);
    expect((await lambda.removePermission({ FunctionName: 'users', StatementId: 'gateway' })).$metadata.httpStatusCode).toBe(204);
    expect(await refusalOf(lambda.getPolicy({ FunctionName: 'users' }))).toBe(
      '404 ResourceNotFoundException: The resource you requested does not exist.',
    );
  });

  test('ten added at once are all in the policy', async () => {
    await lambda.createFunction(minimal());
    const ids = Array.from({ length: 10 }, (_, index) => `s${index}`);
    await Promise.all(
      ids.map((StatementId) =>
        lambda.addPermission({ FunctionName: 'users', StatementId, Action: 'lambda:InvokeFunction', Principal: '*' }),
      ),
    );
    const { Statement } = JSON.parse((await lambda.getPolicy({ FunctionName: 'users' })).Policy!) as {
      Statement: { Sid: string }[];
    };
    expect(Statement.map(({ Sid }) => Sid).sort()).toEqual(ids);
  });
});

describe('Invoke', () => {
  test('hands the call to the runner, with the token, the revision to wait for and who calls; and the answer to the caller', async () => {
    await lambda.createFunction(minimal());
    runner.does(({ response }) => {
      response.writeHead(200, { 'x-amz-executed-version': '$LATEST', 'x-amz-log-result': Buffer.from('log').toString('base64') });
      response.end('"hello"');
    });
    const seen = runner.called();
    const answer = await lambda.invoke({ FunctionName: 'users', Payload: '{"a":1}', LogType: 'Tail' });
    expect(answer).toMatchObject({ StatusCode: 200, ExecutedVersion: '$LATEST', LogResult: 'bG9n' });
    expect(answer.Payload!.transformToString()).toBe('"hello"');
    expect(answer.FunctionError).toBeUndefined();
    const { httpMethod, url, request, body } = await seen;
    expect([httpMethod, decodeURIComponent(url)]).toEqual(['POST', `/2015-03-31/functions/${arn()}/invocations`]);
    expect((await body).toString()).toBe('{"a":1}');
    const [entry] = await house.query<{ revision: string }>(
      `SELECT revision FROM manifest_entries WHERE kind = 'FUNCTION' AND tenant_id = $1 ORDER BY revision DESC`,
      [tenant.account],
    );
    expect(request.headers).toMatchObject({
      authorization: `Bearer ${house.config.nodeToken.reveal()}`,
      'x-amz-log-type': 'Tail',
      'x-gatehouse-source-account': tenant.account,
      'x-gatehouse-min-revision': entry!.revision,
    });
  });

  test('passes on what kind of call it is, and that the function failed', async () => {
    await lambda.createFunction(minimal({ Publish: true }));
    const kinds: (string | undefined)[] = [];
    runner.does(({ request, response }) => {
      const kind = request.headers['x-amz-invocation-type'] as string;
      kinds.push(kind);
      response.writeHead(
        kind === 'Event' ? 202 : kind === 'DryRun' ? 204 : 200,
        kind === 'RequestResponse' ? { 'x-amz-function-error': 'Unhandled' } : {},
      );
      response.end(kind === 'RequestResponse' ? '{"errorMessage":"boom"}' : undefined);
    });
    expect((await lambda.invoke({ FunctionName: 'users', InvocationType: 'Event' })).StatusCode).toBe(202);
    expect((await lambda.invoke({ FunctionName: 'users', InvocationType: 'DryRun' })).StatusCode).toBe(204);
    const failed = await lambda.invoke({ FunctionName: 'users', Qualifier: '1' });
    expect([failed.StatusCode, failed.FunctionError, failed.Payload!.transformToString()]).toEqual([
      200,
      'Unhandled',
      '{"errorMessage":"boom"}',
    ]);
    expect(kinds).toEqual(['Event', 'DryRun', 'RequestResponse']);
  });

  test('of nothing is 404, and so is what the runner does not know', async () => {
    expect(await refusalOf(lambda.invoke({ FunctionName: 'nobody' }))).toMatch(
      /^404 ResourceNotFoundException: Function not found: /,
    );
  });

  test("the runner's refusals reach the caller with type and text; its own troubles do not", async () => {
    await lambda.createFunction(minimal());
    runner.does(({ response }) => {
      response.writeHead(429, { 'x-amzn-errortype': 'TooManyRequestsException' });
      response.end('{"message":"Rate Exceeded.","Reason":"ConcurrentInvocationLimitExceeded"}');
    });
    expect(await refusalOf(lambda.invoke({ FunctionName: 'users' }))).toBe('429 TooManyRequestsException: Rate Exceeded.');
    runner.does(({ response }) => {
      response.writeHead(401, { 'x-amzn-errortype': 'UnauthorizedException' });
      response.end('{"message":"token abc is wrong"}');
    });
    const unauthorized = await refusalOf(lambda.invoke({ FunctionName: 'users' }));
    expect(unauthorized).toMatch(/^500 ServiceException: /);
    expect(unauthorized).not.toContain('abc');
    runner.does(({ socket }) => void socket.resetAndDestroy());
    expect(await refusalOf(lambda.invoke({ FunctionName: 'users' }))).toMatch(/^500 ServiceException: /);
  });

  test('a payload of 6 MB and one byte is 413, and the runner does not see it', async () => {
    await lambda.createFunction(minimal());
    const calls = runner.calls.length;
    const answer = await tenant.send({
      method: 'POST',
      path: '/2015-03-31/functions/users/invocations',
      body: Buffer.alloc(6 * 1024 * 1024 + 1, ' '),
      signature: { service: 'lambda' },
    });
    expect([answer.status, answer.headers['x-amzn-errortype']]).toEqual([413, 'RequestTooLargeException']);
    expect(runner.calls).toHaveLength(calls);
  });
});
