/** Tokens of a real OpenID provider (npm's oidc-provider) in front of a route: discovery, keys, scopes, and keys that change. */
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { Agent, createServer, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { makeCertificates, startControlPlaneHouse, type ControlPlaneHouse, type TestTenant } from '@gatehouse/testkit';
import { startProcess, testFolder, type NodeProcess } from '@gatehouse/tools-node-link';
import Provider, { type Configuration } from 'oidc-provider';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

const AUDIENCE = 'urn:pets';
const SCOPES = 'pets:read pets:write';

let house: ControlPlaneHouse<ControlPlane>;
let scope: Awaited<ReturnType<typeof testFolder>>;
let tenant: TestTenant;
let node: NodeProcess;
let provider: OpenIdProvider;
let restApiId: string;

beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  scope = await testFolder();
  const { authority, good } = makeCertificates();
  const trusted = path.join(scope.folder, 'authority.crt');
  await writeFile(trusted, authority);
  provider = await OpenIdProvider.start(good, authority);
  node = await startProcess(scope, house.plane.grpcPort, {
    env: {
      GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal(),
      GATEHOUSE_ALLOW_PRIVATE_UPSTREAMS: 'true',
      NODE_EXTRA_CA_CERTS: trusted,
    },
  });
  restApiId = await guardedApi();
}, 60_000);

afterAll(async () => {
  provider.close();
  await scope.close();
  await house.close();
  expect(bugs).toEqual([]);
});

/** `GET /read` and `GET /write` answer the token's subject to whoever has their scope. */
async function guardedApi(): Promise<string> {
  const { apiGateway: api, account } = tenant;
  const { id, rootResourceId: parentId } = (await api.createRestApi({ name: 'pets' })) as { id: string; rootResourceId: string };
  const { id: authorizerId } = await api.createAuthorizer({
    restApiId: id,
    name: 'provider',
    type: 'COGNITO_USER_POOLS',
    identitySource: 'method.request.header.Authorization',
    providerARNs: [`arn:aws:iam::${account}:oidc-provider/${provider.place}`],
  });
  for (const pathPart of ['read', 'write']) {
    const { id: resourceId } = await api.createResource({ restApiId: id, parentId, pathPart });
    const key = { restApiId: id, resourceId: resourceId!, httpMethod: 'GET' };
    await api.putMethod({
      ...key,
      authorizationType: 'COGNITO_USER_POOLS',
      authorizerId: authorizerId!,
      authorizationScopes: [`pets:${pathPart}`],
    });
    await api.putIntegration({ ...key, type: 'MOCK', requestTemplates: { 'application/json': '{"statusCode": 200}' } });
    await api.putMethodResponse({ ...key, statusCode: '200' });
    const responseTemplates = { 'application/json': '$context.authorizer.claims.client_id $context.authorizer.claims.scope' };
    await api.putIntegrationResponse({ ...key, statusCode: '200', responseTemplates });
  }
  await api.createDeployment({ restApiId: id, stageName: 'dev' });
  const isServed = async () => expect((await call('/read')).status).toBe(401);
  restApiId = id;
  await vi.waitFor(isServed, { timeout: 15_000, interval: 20 });
  return id;
}

const call = (at: string, token?: string) =>
  fetch(
    `http://127.0.0.1:${node.port}/_aws/execute-api/${restApiId}/dev${at}`,
    token === undefined ? {} : { headers: { Authorization: token } },
  );

const statusOf = async (at: string, token: string): Promise<number> => (await call(at, token)).status;

test('a token that the provider gave is let in where it has the scope, and its claims are told', async () => {
  const token = await provider.token('pets:read');
  const answer = await call('/read', `Bearer ${token}`);
  expect([answer.status, await answer.text()]).toEqual([200, 'shop pets:read']);
  expect([await statusOf('/write', token), await statusOf('/write', await provider.token(SCOPES))]).toEqual([401, 200]);
});

test('a token that somebody else signed, that was changed, or that is of another issuer is not', async () => {
  const [head, claims, signature] = (await provider.token('pets:read')).split('.') as [string, string, string];
  const changed = Buffer.from(claims, 'base64url').toString().replace('pets:read', 'pets:write');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const forged = [
    `${head}.${Buffer.from(changed).toString('base64url')}.${signature}`,
    `${none}.${claims}.`,
    await provider.tokenOfStranger('pets:write'),
  ];
  for (const token of forged) expect(await statusOf('/write', token)).toBe(401);
});

test('keys that the provider changes are found, and while it is away those known go on', async () => {
  const before = await provider.token(SCOPES);
  provider.changeKeys();
  const after = await provider.token(SCOPES);
  const isLetIn = async () => expect(await statusOf('/write', after)).toBe(200);
  await vi.waitFor(isLetIn, { timeout: 20_000, interval: 200 });
  expect(await statusOf('/write', before), 'a key that was taken back').toBe(401);
  const another = await provider.token('pets:write');
  provider.close();
  expect(await statusOf('/write', another)).toBe(200);
});

/** The provider on a port of its own, by TLS: one client, `shop`, that gets JSON Web Tokens by its secret. */
class OpenIdProvider {
  private serving: Provider;

  private constructor(
    private readonly server: Server,
    private readonly authority: string,
    readonly place: string,
  ) {
    this.serving = this.make();
    server.on('request', (incoming, answer) => void this.serving.callback()(incoming, answer));
  }

  static async start(certificate: { readonly key: string; readonly cert: string }, authority: string): Promise<OpenIdProvider> {
    const server = createServer(certificate).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OpenIdProvider(server, authority, `127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  changeKeys(): void {
    this.serving = this.make();
  }

  async token(scopes: string): Promise<string> {
    const body = new URLSearchParams({ grant_type: 'client_credentials', resource: AUDIENCE, scope: scopes }).toString();
    const asked = request(`https://${this.place}/token`, {
      method: 'POST',
      agent: new Agent({ ca: this.authority }),
      auth: 'shop:secret',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }).end(body);
    const [answer] = (await once(asked, 'response')) as [NodeJS.ReadableStream];
    let text = '';
    for await (const chunk of answer) text += chunk;
    return (JSON.parse(text) as { access_token: string }).access_token;
  }

  /** Of a provider that says it is this one and has other keys. */
  async tokenOfStranger(scopes: string): Promise<string> {
    const own = this.serving;
    this.changeKeys();
    try {
      return await this.token(scopes);
    } finally {
      this.serving = own;
    }
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private make(): Provider {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: `key-${Math.random()}` };
    const settings: Configuration = {
      clients: [
        {
          client_id: 'shop',
          client_secret: 'secret',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
      ],
      jwks: { keys: [key as never] },
      cookies: { keys: ['none'] },
      scopes: SCOPES.split(' '),
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => AUDIENCE,
          getResourceServerInfo: () => ({
            scope: SCOPES,
            audience: AUDIENCE,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
    };
    return new Provider(`https://${this.place}`, settings);
  }
}
