import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import yazl from 'yazl';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { awsCli, type AwsCli } from './aws-cli.js';
import { eventually, Gatehouse } from './gatehouse.js';

let gatehouse: Gatehouse;
let aws: AwsCli;
beforeAll(async () => {
  gatehouse = await Gatehouse.prepare(inject('checkout'));
  await gatehouse.start({ GATEHOUSE_DEMO: '0' });
  aws = await awsCli(gatehouse.env());
});
afterAll(() => gatehouse.discard());

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await aws(...args)) as T;
}

test('without the demo there is no API', async () => {
  expect(await json('apigateway', 'get-rest-apis')).toEqual({ items: [] });
});

test('the caller identity is the first tenant', async () => {
  const account = gatehouse.env()['GATEHOUSE_ACCOUNT_ID'];
  expect(await json('sts', 'get-caller-identity')).toMatchObject({ Account: account });
});

test('the CLI builds the demo: function, permission, API, deployment; and the API answers', async () => {
  const { FunctionArn } = await json<{ FunctionArn: string }>(
    ...['lambda', 'create-function', '--function-name', 'users', '--runtime', 'nodejs22.x', '--handler', 'index.handler'],
    ...['--role', 'arn:aws:iam::000000000000:role/lambda', '--zip-file', `fileb://${await usersZip()}`],
  );
  const api = await json<{ id: string }>('apigateway', 'create-rest-api', '--name', 'cli');
  const { items } = await json<{ items: { id: string; path: string }[] }>('apigateway', 'get-resources', '--rest-api-id', api.id);
  expect(items.map(({ path }) => path)).toEqual(['/']);
  const parentId = items[0]?.id as string;
  const of = ['--rest-api-id', api.id];
  const resource = await json<{ id: string }>(
    ...['apigateway', 'create-resource', ...of, '--parent-id', parentId, '--path-part', 'users'],
  );
  const method = [...of, '--resource-id', resource.id, '--http-method', 'GET'];
  await aws('apigateway', 'put-method', ...method, '--authorization-type', 'NONE');
  await aws(
    ...['apigateway', 'put-integration', ...method, '--type', 'AWS_PROXY', '--integration-http-method', 'POST', '--uri'],
    `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/${FunctionArn}/invocations`,
  );
  await aws(
    ...['lambda', 'add-permission', '--function-name', 'users', '--statement-id', 'gateway', '--action', 'lambda:InvokeFunction'],
    ...[
      '--principal',
      'apigateway.amazonaws.com',
      '--source-arn',
      `arn:aws:execute-api:us-east-1:${gatehouse.env()['GATEHOUSE_ACCOUNT_ID']}:${api.id}/*/GET/users`,
    ],
  );
  await aws('apigateway', 'create-deployment', ...of, '--stage-name', 'dev');
  const url = `${gatehouse.url('GATEHOUSE_PORT')}/_aws/execute-api/${api.id}/dev/users`;
  await eventually('the stage is live', async () => (await fetch(url)).status === 200);
  expect(await (await fetch(url)).json()).toEqual([{ id: 1, name: 'John Doe' }]);

  await aws(
    'apigateway',
    'update-stage',
    ...of,
    '--stage-name',
    'dev',
    '--patch-operations',
    'op=replace,path=/variables/colour,value=red',
  );
  expect(await json('apigateway', 'get-stage', ...of, '--stage-name', 'dev')).toMatchObject({ variables: { colour: 'red' } });
  await aws('apigateway', 'delete-rest-api', ...of);
  await eventually('the API is gone', async () => (await fetch(url)).status === 403);
});

test('invoke returns the payload and the log tail', async () => {
  const answer = path.join(mkdtempSync(path.join(tmpdir(), 'gatehouse-cli-')), 'answer.json');
  const meta = await json<{ StatusCode: number; LogResult: string }>(
    'lambda',
    'invoke',
    '--function-name',
    'users',
    '--log-type',
    'Tail',
    answer,
  );
  expect(meta.StatusCode).toBe(200);
  expect(Buffer.from(meta.LogResult, 'base64').toString()).toContain('REPORT RequestId:');
});

test('an unknown id is the error an AWS user expects', async () => {
  const account = gatehouse.env()['GATEHOUSE_ACCOUNT_ID'];
  await expect(aws('apigateway', 'get-rest-api', '--rest-api-id', 'nosuchapi0')).rejects.toThrow(
    `(NotFoundException) when calling the GetRestApi operation: Invalid API identifier specified ${account}:nosuchapi0`,
  );
});

test('an operation that is not there yet says so by name', async () => {
  await expect(aws('apigatewayv2', 'get-apis')).rejects.toThrow('The operation GetApis is not available');
});

async function usersZip(): Promise<string> {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'gatehouse-cli-')), 'function.zip');
  const archive = new yazl.ZipFile();
  const code = `exports.handler = async () => ({ statusCode: 200, body: JSON.stringify([{ id: 1, name: 'John Doe' }]) });`;
  archive.addBuffer(Buffer.from(code), 'index.js');
  archive.end();
  const chunks: Buffer[] = [];
  for await (const chunk of archive.outputStream) chunks.push(chunk as Buffer);
  writeFileSync(file, Buffer.concat(chunks));
  return file;
}
