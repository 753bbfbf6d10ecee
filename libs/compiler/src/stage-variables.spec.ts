/** Every place where a stage variable may stand (data-plane reference §10.1): what the node gets holds the value, or is told the variables. */
import { readFileSync } from 'node:fs';
import type { Authorizer, Integration, Method } from '@gatehouse/domain';
import { expect, test } from 'vitest';
import { compileStage, type StageInput } from './compile-stage.js';

const base = JSON.parse(readFileSync(new URL('../testdata/in/demo.json', import.meta.url), 'utf8')) as StageInput;
const method = base.definition.methods.find(({ integration }) => integration?.type === 'AWS_PROXY')!;
const account = base.tenant;

const FUNCTION = `arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:${account}:function`;
const http: Partial<Integration> = { type: 'HTTP', httpMethod: 'GET', uri: 'http://backend.example/' };
const authorizer = (over: Partial<Authorizer>): Authorizer => ({
  apiId: base.definition.api.id,
  id: 'auth01',
  name: 'auth',
  type: 'TOKEN',
  providerARNs: [],
  authType: null,
  authorizerUri: `${FUNCTION}:who/invocations`,
  authorizerCredentials: null,
  identitySource: 'method.request.header.Authorization',
  identityValidationExpression: null,
  authorizerResultTtlInSeconds: 0,
  ...over,
});

interface Place {
  readonly integration?: Partial<Integration>;
  readonly authorizer?: Authorizer;
}

const VARIABLES = {
  name: 'pets',
  alias: 'live',
  role: 'caller',
  link: 'abc123',
  pool: 'us-east-1_Ab1',
  host: 'eu.example',
  port: '8443',
};

const PLACES: [place: string, given: Place, expected: string][] = [
  [
    'the host and port of a backend',
    { integration: { ...http, uri: 'https://${stageVariables.host}:${stageVariables.port}/' } },
    '"uri":"https://eu.example:8443/"',
  ],
  [
    'the path and query of a backend',
    { integration: { ...http, uri: 'http://a.example/${stageVariables.name}?v=${stageVariables.alias}' } },
    '"uri":"http://a.example/pets?v=live"',
  ],
  [
    'all of the address of a proxy',
    { integration: { ...http, type: 'HTTP_PROXY', uri: 'http://${stageVariables.host}' } },
    '"uri":"http://eu.example"',
  ],
  ['the name of a function', { integration: { uri: `${FUNCTION}:\${stageVariables.name}/invocations` } }, ':function:pets"'],
  [
    'the alias of a function',
    { integration: { uri: `${FUNCTION}:pets:\${stageVariables.alias}/invocations` } },
    ':function:pets:live"',
  ],
  [
    'the role of an integration',
    { integration: { credentials: `arn:aws:iam::${account}:role/\${stageVariables.role}` } },
    `"account":"${account}"`,
  ],
  [
    'the VPC link of a backend',
    { integration: { ...http, connectionType: 'VPC_LINK', connectionId: '${stageVariables.link}' } },
    '"vpcLinkId":"abc123"',
  ],
  [
    'the action of a service',
    {
      integration: {
        type: 'AWS',
        httpMethod: 'POST',
        uri: 'arn:aws:apigateway:us-east-1:sqs:path/${stageVariables.name}',
        credentials: `arn:aws:iam::${account}:role/\${stageVariables.role}`,
      },
    },
    'pets',
  ],
  [
    "an authorizer's function",
    { authorizer: authorizer({ authorizerUri: `${FUNCTION}:\${stageVariables.name}:\${stageVariables.alias}/invocations` }) },
    ':function:pets:live"',
  ],
  [
    "an authorizer's role",
    { authorizer: authorizer({ authorizerCredentials: `arn:aws:iam::${account}:role/\${stageVariables.role}` }) },
    `"account":"${account}"`,
  ],
  [
    "a user pool's ARN",
    {
      authorizer: authorizer({
        type: 'COGNITO_USER_POOLS',
        providerARNs: [`arn:aws:cognito-idp:us-east-1:${account}:userpool/\${stageVariables.pool}`],
      }),
    },
    '"issuers":["https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Ab1"]',
  ],
  // What follows is text of the node's own languages: it gets the variables beside it.
  [
    'a mapping',
    { integration: { ...http, requestParameters: { 'integration.request.header.X': 'stageVariables.name' } } },
    '"integration.request.header.X":"stageVariables.name"',
  ],
  [
    'a template',
    { integration: { ...http, requestTemplates: { 'application/json': '$stageVariables.name' } } },
    '"application/json":"$stageVariables.name"',
  ],
  [
    'an identity source',
    { authorizer: authorizer({ type: 'REQUEST', identitySource: 'stageVariables.name' }) },
    '"identitySources":["stageVariables.name"]',
  ],
];

function compiled({ integration, authorizer: asked }: Place): string {
  const changed: Method = {
    ...method,
    integration: { ...method.integration!, ...integration },
    ...(asked !== undefined && {
      authorizationType: asked.type === 'COGNITO_USER_POOLS' ? 'COGNITO_USER_POOLS' : 'CUSTOM',
      authorizerId: asked.id,
    }),
  };
  const parts = { models: [], requestValidators: [], gatewayResponses: [], authorizers: asked === undefined ? [] : [asked] };
  const { snapshot } = compileStage({
    ...base,
    stage: { ...base.stage, variables: VARIABLES },
    definition: { ...base.definition, methods: [changed], parts },
    vpcLinks: { abc123: { targets: [{ url: 'http://10.0.0.1:80', weight: 1 }], tlsName: null, isOperators: false } as never },
  });
  expect(snapshot.stageVariables).toEqual(VARIABLES);
  return JSON.stringify({ ...snapshot, stageVariables: null });
}

test.each(PLACES)('a stage variable may stand in %s', (_, given, expected) => {
  const text = compiled(given);
  expect(text).toContain(expected);
  expect(text).not.toContain('${stageVariables');
  expect(text).not.toContain('"REFUSE"');
});
