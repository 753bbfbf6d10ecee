// The APIs of the steps in the running product: one with a route for each step, one with a resource policy, and stages that differ in settings.
import {
  CreateDeploymentCommand,
  ImportRestApiCommand,
  TagResourceCommand,
  UpdateAccountCommand,
  UpdateStageCommand,
} from '@aws-sdk/client-api-gateway';
import { AddPermissionCommand, CreateFunctionCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { ITEM } from '../bodies.mjs';
import { createKey } from '../contenders/gatehouse-apis.mjs';
import { stepsDocument } from './document.mjs';

const FUNCTIONS = {
  guard: `exports.handler = async (event) => ({
  principalId: 'bench',
  policyDocument: { Version: '2012-10-17', Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: '*' }] },
  context: { plan: 'gold' },
});`,
  item: `exports.handler = async () => ({ statusCode: 200, headers: { 'Content-Type': 'application/json' }, body: '${ITEM}' });`,
};

/** Callers from everywhere but one network: the Allow and the Deny of the guide's example, both read for each request. */
const POLICY = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Principal: '*', Action: 'execute-api:Invoke', Resource: 'execute-api:/*' },
    {
      Effect: 'Deny',
      Principal: '*',
      Action: 'execute-api:Invoke',
      Resource: 'execute-api:/*',
      Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
    },
  ],
};

const LOG_FORMAT = JSON.stringify({
  requestId: '$context.requestId',
  ip: '$context.identity.sourceIp',
  status: '$context.status',
  path: '$context.path',
  latency: '$context.responseLatency',
});

/**
 * `client`: of API Gateway. Returns the ids of the two APIs, the key's value, and the stages' names by what they do beyond serving;
 * a stage that could not be made is named with its problem.
 */
export async function createStepsApis({ client, management, upstreamUrl, issuerArn }) {
  await client.send(new UpdateAccountCommand(patches([['/cloudwatchRoleArn', 'arn:aws:iam::123456789012:role/logs']])));
  const { Account: account } = await new STSClient(management).send(new GetCallerIdentityCommand({}));
  const uris = await createFunctions(management, account);
  const document = stepsDocument({
    upstreamUrl,
    issuerArn: issuerArn(account),
    authorizerUri: uris.guard,
    functionUri: uris.item,
  });
  const restApiId = await importApi(client, document);
  await client.send(
    new UpdateStageCommand({
      stageName: 'bench',
      restApiId,
      ...patches([
        ['/cacheClusterEnabled', 'true'],
        ['/cacheClusterSize', '0.5'],
        ['/~1cached/GET/caching/enabled', 'true'],
        ['/~1cached/GET/caching/ttlInSeconds', '3600'],
        ...unthrottled('/~1cached/GET'),
      ]),
    }),
  );
  const stages = {};
  const addStage = async (stageName, finish) => {
    try {
      await client.send(new CreateDeploymentCommand({ restApiId, stageName }));
      await finish(stageName);
      stages[stageName] = null;
    } catch (error) {
      stages[stageName] = error.message;
    }
  };
  const patch = (list) => (stageName) => client.send(new UpdateStageCommand({ stageName, restApiId, ...patches(list) }));
  await addStage(
    'logged',
    patch([
      ['/accessLogSettings/format', LOG_FORMAT],
      ['/accessLogSettings/destinationArn', `arn:aws:logs:us-east-1:${account}:log-group:bench`],
    ]),
  );
  await addStage('traced', patch([['/*/*/logging/loglevel', 'INFO'], ...unthrottled('/*/*')]));
  await addStage('untold', (stageName) =>
    client.send(
      new TagResourceCommand({
        resourceArn: `arn:aws:apigateway:${management.region}::/restapis/${restApiId}/stages/${stageName}`,
        tags: { 'gatehouse:limit-headers': 'off' },
      }),
    ),
  );
  await addStage('canary', (stageName) =>
    client.send(new CreateDeploymentCommand({ restApiId, stageName, canarySettings: { percentTraffic: 10 } })),
  );
  const policyApiId = await importApi(client, { ...document, 'x-amazon-apigateway-policy': POLICY });
  const value = await createKey(client, restApiId, ['bench', 'untold']);
  return { restApiId, policyApiId, key: value, stages, account };
}

/** A new method setting has a throttle; the plain proxy has none of its own. */
const unthrottled = (method) => ['rateLimit', 'burstLimit'].map((limit) => [`${method}/throttling/${limit}`, '-1']);

const patches = (list) => ({ patchOperations: list.map(([path, value]) => ({ op: 'replace', path, value })) });

async function importApi(client, document) {
  const body = new TextEncoder().encode(JSON.stringify(document));
  const parameters = { endpointConfigurationTypes: 'REGIONAL' };
  const { id: restApiId } = await client.send(new ImportRestApiCommand({ body, parameters, failOnWarnings: true }));
  await client.send(new CreateDeploymentCommand({ restApiId, stageName: 'bench' }));
  return restApiId;
}

async function createFunctions(management, account) {
  const lambda = new LambdaClient(management);
  const uris = {};
  for (const [FunctionName, code] of Object.entries(FUNCTIONS)) {
    const { FunctionArn } = await lambda.send(
      new CreateFunctionCommand({
        FunctionName,
        Role: `arn:aws:iam::${account}:role/bench`,
        Runtime: 'nodejs22.x',
        Handler: 'index.handler',
        Code: { ZipFile: await packageOf(code) },
      }),
    );
    const permission = { StatementId: 'gateway', Action: 'lambda:InvokeFunction', Principal: 'apigateway.amazonaws.com' };
    await lambda.send(new AddPermissionCommand({ FunctionName, ...permission }));
    uris[FunctionName] = `arn:aws:apigateway:${management.region}:lambda:path/2015-03-31/functions/${FunctionArn}/invocations`;
  }
  return uris;
}

function packageOf(code) {
  const file = new ZipFile();
  file.addBuffer(Buffer.from(code), 'index.js');
  file.end();
  return buffer(file.outputStream);
}
