/**
 * What authorization costs a request whose caller is known: CPU nanoseconds (user and system) and heap bytes per request. After a build
 * (`npm run build`), run with `node --expose-gc --min-semi-space-size=64 --max-semi-space-size=64 src/authorizer.bench.ts`; the young
 * space is large so that no collection hides bytes. 64 callers, each with a token of its own, take turns.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import type { AuthorizerSnapshot, RouteAuthorization, RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import type * as exchangeModule from '@gatehouse/engine-exchange';
import type * as kernelModule from '@gatehouse/kernel';
import type * as sigv4Module from '@gatehouse/sigv4';

type Step = exchangeModule.Step;

const built = async (path: string): Promise<unknown> => import(new URL(`../${path}.js`, import.meta.url).href);
const { authorize } = (await built('dist/index')) as typeof import('./index.js');
const { Exchange: RealExchange, CONTINUE } = (await built('../exchange/dist/index')) as typeof exchangeModule;
const { Secret, systemClock } = (await built('../../foundation/kernel/dist/index')) as typeof kernelModule;
const { deriveSigningKey, RequestSigner } = (await built('../../foundation/sigv4/dist/index')) as typeof sigv4Module;

const CALLERS = 64;
const TENANT = '123456789012';
const ISSUER = 'https://issuer.example';
const HOST = 'abc123defg.execute-api.localhost';
const identity = { validationExpression: null, ttlSeconds: 3_600 };
const functionArn = 'arn:aws:lambda:us-east-1:123456789012:function:auth';
const authorizers: Readonly<Record<string, AuthorizerSnapshot>> = {
  token: { type: 'TOKEN', functionArn, identitySources: ['method.request.header.X-Token'], ...identity },
  request: {
    type: 'REQUEST',
    functionArn,
    identitySources: ['method.request.header.X-Token', 'method.request.header.User-Agent'],
    ...identity,
  },
  pool: { type: 'USER_POOLS', issuers: [ISSUER], identitySource: 'method.request.header.Authorization', ...identity },
};
const RESOURCE_POLICY = JSON.stringify({
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
});
const stage = {
  tenant: TENANT,
  apiId: 'abc123defg',
  stage: 'prod',
  region: 'us-east-1',
  stageVariables: {},
  authorizers,
  resourcePolicy: RESOURCE_POLICY,
  binaryMediaTypes: [],
} as unknown as StageSnapshot;

/** What the authorizer answers: for everything, or for one path of the API. */
let resource = '*';
const functions = {
  call: async () => ({
    status: 200,
    headers: [],
    body: Buffer.from(
      JSON.stringify({
        principalId: 'bench',
        policyDocument: {
          Version: '2012-10-17',
          Statement: [{ Action: 'execute-api:Invoke', Effect: 'Allow', Resource: resource }],
        },
        context: { plan: 'gold' },
      }),
    ),
  }),
};

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const documents: Readonly<Record<string, object>> = {
  [`${ISSUER}/.well-known/openid-configuration`]: { issuer: ISSUER, jwks_uri: `${ISSUER}/keys` },
  [`${ISSUER}/keys`]: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }] },
};
const http = {
  call: async ({ url }: { readonly url: string }) => ({
    status: 200,
    headers: [],
    body: Buffer.from(JSON.stringify(documents[url])),
  }),
};
const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
function tokenOf(caller: number): string {
  const seconds = Math.floor(Date.now() / 1_000);
  const claims = { iss: ISSUER, sub: `bench${caller}`, aud: 'bench', iat: seconds, exp: seconds + 86_400, token_use: 'id' };
  const signed = `${encode({ alg: 'RS256', kid: 'bench' })}.${encode(claims)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

const stepOf = (authorization: RouteAuthorization): Step => {
  const route = { path: '/pets/{id}', httpMethod: 'GET', authorization } as unknown as RouteSnapshot;
  return authorize({ functions, http, limits: { clock: systemClock } } as never)({ stage, route } as never)!;
};

const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const policy = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: 'execute-api:Invoke', Resource: '*' }],
});
const signingKeys = new Map<string, Buffer>();
const accessKey = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  tenant: TENANT,
  principalArn: `arn:aws:iam::${TENANT}:user/bench`,
  userId: 'AIDAEXAMPLE',
  policy,
  session: null,
  signingKey: (date: string, region: string) => {
    let key = signingKeys.get(date + region);
    if (key === undefined) signingKeys.set(date + region, (key = deriveSigningKey(SECRET, date, region, 'execute-api')));
    return key;
  },
};
const world = { accessKey: (id: string) => (id === accessKey.accessKeyId ? accessKey : null) } as never;

const signer = new RequestSigner(systemClock);
const callers = Array.from({ length: CALLERS }, (_, i) => {
  const x = new RealExchange();
  const path = `/prod/pets/${i}`;
  const own = signer.sign(
    { httpMethod: 'GET', host: HOST, path, query: '', headers: [], body: new Uint8Array() },
    { accessKeyId: accessKey.accessKeyId, secret: new Secret(SECRET), sessionToken: null },
    { region: 'us-east-1', service: 'execute-api' },
  );
  const signed = ['Host', HOST, 'User-Agent', 'bench/1.0', 'Accept', '*/*', ...own];
  const plain = ['Host', HOST, 'User-Agent', 'bench/1.0', 'X-Token', `bench-${i}`, 'Authorization', tokenOf(i)];
  Object.assign(x, { httpMethod: 'GET', host: HOST, path, resourcePath: `/pets/${i}`, sourceIp: '198.51.100.7', world });
  return { x, plain, signed };
});

type Caller = (typeof callers)[number];
type Operation = (caller: Caller) => void;

const begin: Operation = ({ x, plain }) => {
  x.receivedAtMs = Date.now();
  x.startedAtMs = performance.now();
  x.requestHeaders = plain;
  x.authorizer = null;
  x.fault = null;
};

const collect = (globalThis as { gc?: () => void }).gc ?? (() => undefined);

function rounds(count: number, operation: Operation): void {
  for (let i = 0; i < count; i++) operation(callers[i % CALLERS]!);
}

let emptyNs = 0;
let emptyBytes = 0;
function measure(name: string, operation: Operation, count = 200_000): void {
  rounds(count / 4, operation);
  let best = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = process.cpuUsage();
    rounds(count, operation);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1_000) / count);
  }
  collect();
  const heapBytes = process.memoryUsage().heapUsed;
  rounds(5_000, operation);
  const bytes = (process.memoryUsage().heapUsed - heapBytes) / 5_000;
  if (name === 'nothing') [emptyNs, emptyBytes] = [best, bytes];
  const [ns, ownBytes] = [best - emptyNs, bytes - emptyBytes];
  console.log(`${name.padEnd(58)} ${ns.toFixed(0).padStart(6)} ns ${ownBytes.toFixed(0).padStart(6)} B`);
}

/** Asked once for each caller; everything after that has to be known, and is told at once. */
async function measureKnown(name: string, authorization: RouteAuthorization): Promise<void> {
  const step = stepOf(authorization);
  for (const caller of callers) {
    begin(caller);
    if ((await (step(caller.x) as unknown)) !== CONTINUE) throw new Error(`${name}: ${caller.x.faultDoing}`);
  }
  measure(name, (caller) => {
    begin(caller);
    if (step(caller.x) !== CONTINUE) throw new Error(`${name}: ${caller.x.faultDoing}`);
  });
}

measure('nothing', begin); // its own share is taken off the others
await measureKnown('function, one identity source, allows everything', { type: 'FUNCTION', authorizerId: 'token' });
resource = `arn:aws:execute-api:us-east-1:${TENANT}:abc123defg/prod/GET/pets/*`;
await measureKnown('function, two identity sources, allows some paths', { type: 'FUNCTION', authorizerId: 'request' });
await measureKnown('user pool', { type: 'USER_POOLS', authorizerId: 'pool', scopes: [] });
await measureKnown('resource policy', { type: 'RESOURCE_POLICY', authorization: { type: 'NONE' } });
const signedStep = stepOf({ type: 'IAM' });
measure(
  'signature',
  (caller) => {
    begin(caller);
    caller.x.requestHeaders = caller.signed;
    if (signedStep(caller.x) !== CONTINUE) throw new Error(`signature: ${caller.x.faultMessage}`);
  },
  20_000,
);
