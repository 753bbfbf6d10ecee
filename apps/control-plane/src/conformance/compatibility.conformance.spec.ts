/**
 * docs/compatibility.md says which operations are handled. Its tables are generated from the operation tables:
 * `npx vitest run compatibility --update` writes them anew; the text around them is written by hand.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { GetApisCommand, ApiGatewayV2Client } from '@aws-sdk/client-apigatewayv2';
import { ApiGateway, ApiGatewayV2, Lambda, type ServiceModel } from '@gatehouse/aws-api';
import { refusalOf, startControlPlaneHouse, TEST_REGION, type ControlPlaneHouse } from '@gatehouse/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { LAMBDA_NOT_YET } from '../not-yet.js';
import { bugs, composition } from './composition.js';

const FILE = path.resolve(import.meta.dirname, '../../../../docs/compatibility.md');
const BEGIN = '<!-- generated: operations -->';
const END = '<!-- end of generated -->';

const SERVICES: readonly {
  readonly title: string;
  readonly model: ServiceModel;
  readonly isHandled: (operation: string) => boolean;
}[] = [
  // A table of operations that lacks one of them does not compile.
  { title: 'API Gateway v1 (REST APIs)', model: ApiGateway.model, isHandled: () => true },
  { title: 'Lambda (function API)', model: Lambda.model, isHandled: (name) => !Object.hasOwn(LAMBDA_NOT_YET, name) },
  { title: 'API Gateway v2 (HTTP and WebSocket APIs)', model: ApiGatewayV2.model, isHandled: () => false },
];

function operationTables(): string {
  return SERVICES.map(({ title, model, isHandled }) => {
    const names = Object.keys(model.operations).sort();
    const rows = names.map((name) => `| ${name} | ${isHandled(name) ? 'handled' : 'answers an error that names it'} |`);
    return [
      `### ${title}: ${names.filter(isHandled).length} of ${names.length}`,
      '',
      '| operation | |',
      '|---|---|',
      ...rows,
    ].join('\n');
  }).join('\n\n');
}

test('docs/compatibility.md lists what is handled and what is not', async () => {
  const text = await readFile(FILE, 'utf8');
  const [before, rest] = text.split(`${BEGIN}\n`);
  const after = rest?.split(`${END}\n`)[1];
  expect([before, after], 'the file holds both marks').not.toContain(undefined);
  await expect(`${before}${BEGIN}\n\n${operationTables()}\n\n${END}\n${after}`).toMatchFileSnapshot(FILE);
});

let house: ControlPlaneHouse<ControlPlane>;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

describe('an operation that is not handled', () => {
  test('answers an error with its name, in every service, and writes nothing', async () => {
    const tenant = await house.tenant();
    const before = await house.rowCounts();
    for (const { model, isHandled } of SERVICES) {
      for (const [name, { httpMethod: method, uri }] of Object.entries(model.operations)) {
        if (isHandled(name)) continue;
        const [route, query = ''] = uri.split('?');
        const { status, headers, text } = await tenant.send({
          method,
          path: route!.replaceAll(/\{[^}]+\}/g, '1'),
          query: Object.fromEntries(new URLSearchParams(query)),
          headers: method === 'GET' || method === 'DELETE' ? {} : { 'content-type': 'application/json' },
          ...(method === 'GET' || method === 'DELETE' ? {} : { body: '{}' }),
          signature: { service: model.signingName },
        });
        const type = headers['x-amzn-errortype'];
        // Either what is missing in the request is told first, or that nobody handles it.
        if (type === 'ValidationException') continue;
        expect([status, type, text], `${model.id}.${name}`).toEqual([
          400,
          model.id === 'Lambda' ? 'InvalidParameterValueException' : 'BadRequestException',
          expect.stringContaining(`The operation ${name} is not available on this server.`),
        ]);
      }
    }
    expect(await house.rowCounts()).toEqual(before);
  });

  test('is a modelled error for the SDK', async () => {
    const { credentials } = await house.tenant();
    const client = new ApiGatewayV2Client({
      region: TEST_REGION,
      endpoint: `http://127.0.0.1:${house.plane.adminPort}`,
      credentials,
      maxAttempts: 1,
    });
    expect(await refusalOf(client.send(new GetApisCommand({})))).toBe(
      '400 BadRequestException: The operation GetApis is not available on this server.',
    );
    client.destroy();
  });
});

describe('one endpoint', () => {
  test('tells the STS client who calls', async () => {
    const { sts, account } = await house.tenant();
    const identity = await sts.getCallerIdentity({});
    expect(identity).toMatchObject({ Account: account, Arn: `arn:aws:iam::${account}:user/admin`, UserId: expect.any(String) });
  });

  test('refuses what else STS has, in the words of STS', async () => {
    const { sts } = await house.tenant();
    expect(await refusalOf(sts.getAccessKeyInfo({ AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' }))).toBe(
      '400 InvalidAction: The action GetAccessKeyInfo is not valid for this endpoint.',
    );
  });

  test('answers v1 and Lambda beside each other, each to signatures of its own service', async () => {
    const tenant = await house.tenant();
    expect((await tenant.apiGateway.getRestApis({})).items).toEqual([]);
    expect((await tenant.lambda.listFunctions({})).Functions).toEqual([]);
    const crossed = await tenant.send({ path: '/2015-03-31/functions/', signature: { service: 'apigateway' } });
    expect([crossed.status, crossed.headers['x-amzn-errortype']]).toEqual([403, 'InvalidSignatureException']);
  });

  test('says when it answered, so that clients can correct their clocks', async () => {
    const { headers } = await (await house.tenant()).send({ path: '/restapis' });
    expect(Math.abs(Date.parse(headers['date']!) - Date.now())).toBeLessThan(60_000);
  });
});
