/**
 * The border behind which published content is trusted: every member a World or a program reads is there and of its type. What
 * expressions in it mean is checked where they are compiled. Members this node does not know are ignored.
 */
import type { StageSnapshot } from '@gatehouse/contracts';
import { LinkRefusal } from '@gatehouse/engine-exchange';
import { parseNetwork } from '@gatehouse/kernel';
import { snapshotOfCanary } from './canary.js';

export type Check = (value: unknown, where: string) => void;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function claim(expected: string, holds: (value: unknown) => boolean): Check {
  return (value, where) => {
    if (!holds(value)) throw new LinkRefusal(`${where}: expected ${expected}`);
  };
}

const text = claim('a string', (value) => typeof value === 'string');
const sha256 = claim('a SHA-256 in hex', (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value));
const flag = claim('true or false', (value) => typeof value === 'boolean');
const number = claim('a number', (value) => typeof value === 'number');
const positive = claim('a positive number', (value) => typeof value === 'number' && value > 0);
const oneOf = (...names: readonly string[]): Check =>
  claim(`one of ${names.join(', ')}`, (value) => names.includes(value as string));
const orNull =
  (check: Check): Check =>
  (value, where) =>
    value === null ? undefined : check(value, where);

const optional =
  (check: Check): Check =>
  (value, where) =>
    value === undefined ? undefined : check(value, where);

const list =
  (item: Check): Check =>
  (value, where) => {
    if (!Array.isArray(value)) throw new LinkRefusal(`${where}: expected a list`);
    value.forEach((element, i) => item(element, `${where}[${i}]`));
  };

const mapOf =
  (item: Check): Check =>
  (value, where) => {
    if (!isRecord(value)) throw new LinkRefusal(`${where}: expected an object`);
    for (const [key, element] of Object.entries(value)) item(element, `${where}[${JSON.stringify(key)}]`);
  };

const record =
  (members: Readonly<Record<string, Check>>): Check =>
  (value, where) => {
    if (!isRecord(value)) throw new LinkRefusal(`${where}: expected an object`);
    for (const name of Object.keys(members)) members[name]!(value[name], `${where}.${name}`);
  };

/** Chooses by `type`; a type that is not in the table is newer than this node. */
const tagged =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value, where) => {
    const type = isRecord(value) ? value.type : undefined;
    if (typeof type !== 'string' || !Object.hasOwn(checks, type))
      throw new LinkRefusal(`${where}.type: ${JSON.stringify(type)} is not known to this node`);
    checks[type]!(value, where);
  };

const texts = mapOf(text);
const throttle = record({ ratePerSecond: number, burst: number });
const refuse = record({ reason: text });
const contentHandling = oneOf('CONVERT_TO_BINARY', 'CONVERT_TO_TEXT');
const responses = list(
  record({
    statusCode: number,
    selectionPattern: orNull(text),
    responseParameters: texts,
    responseTemplates: texts,
    contentHandling: optional(contentHandling),
  }),
);
const templates = {
  passthroughBehavior: oneOf('WHEN_NO_MATCH', 'WHEN_NO_TEMPLATES', 'NEVER'),
  requestTemplates: texts,
  responses,
};
const upstream = {
  uri: text,
  httpMethod: text,
  timeoutMs: positive,
  requestParameters: texts,
  insecureSkipVerification: flag,
};

const functionProxy = record({ httpMethod: text, functionArn: text, timeoutMs: positive });
const streamedFunction = record({ httpMethod: text, functionArn: text, timeoutMs: positive, streamIdleMs: positive });
const service = record({
  partition: text,
  region: text,
  service: text,
  subdomain: orNull(text),
  path: text,
  action: orNull(text),
  role: text,
  httpMethod: text,
  timeoutMs: positive,
  requestParameters: texts,
  ...templates,
});
const mapped = {
  SERVICE: service,
  MOCK: record(templates),
  HTTP: record({ ...upstream, ...templates }),
  FUNCTION: record({
    httpMethod: text,
    functionArn: text,
    account: orNull(text),
    timeoutMs: positive,
    requestParameters: texts,
    ...templates,
  }),
};
const payloads = {
  ...mapped,
  VELOCITY: record({ integration: tagged(mapped) }),
  HTTP_PROXY: record({ ...upstream, streamIdleMs: optional(positive) }),
};
const converted = record({ contentHandling: orNull(contentHandling), integration: tagged(payloads) });

/** Holds another one. */
const authorization: Check = (value, where) =>
  tagged({
    NONE: () => undefined,
    REFUSE: refuse,
    FUNCTION: record({ authorizerId: text }),
    USER_POOLS: record({ authorizerId: text, scopes: list(text) }),
    IAM: () => undefined,
    RESOURCE_POLICY: record({ authorization }),
    PRIVATE: record({ authorization }),
    FILTERED: record({ authorization }),
    VALIDATE: record({
      validation: record({ requiredParameters: list(text), bodyModels: orNull(mapOf(orNull(text))) }),
      authorization,
    }),
  })(value, where);

const authorizer = record({
  functionArn: text,
  identitySources: list(text),
  validationExpression: orNull(text),
  ttlSeconds: number,
  account: optional(text),
});

const userPools = record({
  issuers: list(text),
  identitySource: text,
  validationExpression: orNull(text),
  ttlSeconds: number,
});

export const checkRoute: Check = record({
  resourceId: text,
  path: text,
  httpMethod: text,
  operationName: orNull(text),
  apiKeyRequired: flag,
  authorization,
  throttle: orNull(throttle),
  integration: tagged({
    ...payloads,
    CONVERT: converted,
    CONNECT: record({
      clientCertificateId: orNull(text),
      privateTargets: orNull(
        record({
          vpcLinkId: text,
          targets: list(record({ host: text, port: number })),
          tlsName: orNull(text),
          isOperators: flag,
        }),
      ),
      integration: tagged({
        HTTP: payloads.HTTP,
        HTTP_PROXY: payloads.HTTP_PROXY,
        VELOCITY: payloads.VELOCITY,
        CONVERT: converted,
      }),
    }),
    AWS_PROXY: functionProxy,
    AWS_PROXY_STREAM: streamedFunction,
    AS_ROLE: record({ account: text, integration: tagged({ AWS_PROXY: functionProxy, AWS_PROXY_STREAM: streamedFunction }) }),
    REFUSE: refuse,
  }),
  logging: optional(record({ level: oneOf('ERROR', 'INFO'), hasDataTrace: flag })),
  caching: optional(
    record({
      namespace: text,
      keyParameters: list(text),
      ttlSeconds: positive,
      invalidation: oneOf('ANYBODY', 'FAIL_WITH_403', 'SUCCEED_WITH_RESPONSE_HEADER', 'SUCCEED_WITHOUT_RESPONSE_HEADER'),
    }),
  ),
});

const logGroup = { arn: text, url: optional(text) };

const around = {
  tenant: text,
  region: text,
  apiId: text,
  apiName: text,
  stage: text,
  deploymentId: text,
  stageVariables: texts,
  apiKeySource: oneOf('HEADER', 'AUTHORIZER'),
  binaryMediaTypes: list(text),
  disableExecuteApiEndpoint: flag,
  accountThrottle: orNull(throttle),
  gatewayResponses: list(record({ responseType: text, statusCode: orNull(number), headers: texts, templates: texts })),
  models: optional(texts),
  resourcePolicy: optional(text),
  cacheEpochs: optional(record({ responses: number, authorizers: number })),
  authorizers: optional(mapOf(tagged({ TOKEN: authorizer, REQUEST: authorizer, USER_POOLS: userPools, REFUSE: refuse }))),
  payloadBytesMax: optional(number),
  accessLog: optional(record({ format: text, ...logGroup })),
  executionLog: optional(record(logGroup)),
  explain: optional(record({ sampleEvery: optional(number), secretNames: optional(list(text)) })),
  minimumCompressionSize: optional(number),
  cacheGigabytes: optional(positive),
  limitHeaders: optional(claim('false', (value) => value === false)),
  blockedNetworks: optional(list(claim('a network', (value) => typeof value === 'string' && parseNetwork(value) !== null))),
  notFound: optional(record({ isPrivate: flag })),
};
const checkAround: Check = record(around);
const checkDeployment: Check = record({ ...around, routes: list(checkRoute) });

const checkCanary: Check = record({
  percentTraffic: number,
  useStageCache: flag,
  members: mapOf(() => undefined),
  absent: list(text),
  routes: list(claim('a route or the index of one', (route) => typeof route === 'number' || isRecord(route))),
});

/** Throws LinkRefusal that names the first member that is not as it should be. */
export const checkStage: Check = (value, where) => {
  checkDeployment(value, where);
  checkItsCanary(value as StageSnapshot, where);
};

/** The same for a stage whose routes were checked one by one. */
export const checkStageAround: Check = (value, where) => {
  checkAround(value, where);
  checkItsCanary(value as StageSnapshot, where);
};

function checkItsCanary(stage: StageSnapshot, where: string): void {
  const { canary } = stage;
  if (canary === undefined) return;
  checkCanary(canary, `${where}.canary`);
  checkDeployment(snapshotOfCanary(stage, canary), `${where}.canary`);
}

export const checkUsagePlan: Check = record({
  usagePlanId: text,
  tenant: text,
  throttle: orNull(throttle),
  quota: orNull(record({ limit: number, offset: number, period: oneOf('DAY', 'WEEK', 'MONTH') })),
  apiStages: list(record({ apiId: text, stage: text, methodThrottles: mapOf(throttle) })),
  limits: optional(record({ mode: oneOf('FAST', 'STRICT'), fallback: oneOf('OPEN', 'CLOSED') })),
});

export const checkApiKey: Check = record({
  apiKeyId: text,
  tenant: text,
  valueDigest: sha256,
  enabled: flag,
  usagePlanIds: list(text),
});

export const checkDomainName: Check = record({
  domainName: text,
  tenant: text,
  certificateId: text,
  securityPolicy: text,
  mappings: list(record({ basePath: text, apiId: text, stage: orNull(text) })),
});

export const checkCertificate: Check = record({
  certificateId: text,
  tenant: text,
  chainPem: text,
  privateKeyPem: text,
  hostNames: list(text),
  expiresAtMs: number,
});

export const checkServiceAccess: Check = record({
  tenant: text,
  services: mapOf(record({ endpoint: text, region: orNull(text) })),
  roles: mapOf(record({ accessKeyId: text, secretAccessKey: text, sessionToken: orNull(text) })),
});

export const checkAccessKey: Check = record({
  accessKeyId: text,
  tenant: text,
  principalArn: text,
  userId: text,
  policy: orNull(text),
  signingKeys: texts,
  session: optional(record({ tokenDigest: sha256, expiresAtMs: number, madeBy: text, signingKeys: texts })),
});
