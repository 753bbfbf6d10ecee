/** Custom domain names, base path mappings and the certificates behind them: exact answers, exact refusals, every PATCH path once. */
import { paginateGetBasePathMappings, paginateGetDomainNames, type PatchOperation } from '@aws-sdk/client-api-gateway';
import {
  answered,
  createMockApi,
  freePort,
  makeCertificates,
  makeServerCertificate,
  refusalOf,
  startControlPlaneHouse,
  type Certificate,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { startProcess, testFolder } from '@gatehouse/tools-node-link';
import { X509Certificate } from 'node:crypto';
import { get } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

const HOST = 'api.example.com';
/** For every host below example.com: made once, since making one takes a process. */
const wildcard = makeServerCertificate(['*.example.com', 'example.com']);
const elsewhere = makeServerCertificate(['*.example.org']);
const { expired, wrongName, authority, good } = makeCertificates();

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
let certificateArn: string;
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  tenant = await house.tenant();
  api = tenant.apiGateway;
  certificateArn = arnOf('main');
  await put('main', wildcard);
});
afterEach(async () => {
  // A name belongs to one tenant: the next test's wants it.
  for (const { domainName } of (await tenant.apiGateway.getDomainNames({ limit: 500 })).items!) {
    await tenant.apiGateway.deleteDomainName({ domainName });
  }
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });
const add = (path: string, value?: string): PatchOperation => ({ op: 'add', path, value });
const remove = (path: string, value?: string): PatchOperation => ({ op: 'remove', path, value });
const arnOf = (id: string): string => `arn:aws:acm:us-east-1:${tenant.account}:certificate/${id}`;

async function admin(method: string, target: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }> {
  const [suffix, query = ''] = target.split('?');
  const { status, text } = await tenant.send({
    method,
    path: `/admin/v1/certificates${suffix}`,
    query: Object.fromEntries(new URLSearchParams(query)),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) };
}
const put = (id: string, { cert, key }: Certificate, chain = '') =>
  admin('PUT', `/${id}`, { certificate: cert, chain, privateKey: key });
const refused = ({ status, body }: { status: number; body: Record<string, unknown> }): string =>
  `${status} ${body.type}: ${body.message}`;

describe('certificates', () => {
  test('are imported under an id of their owner, shown without their key, and removed', async () => {
    const imported = await put('mine', wildcard);
    expect(imported.status).toBe(200);
    expect(imported.body).toEqual({
      id: 'mine',
      arn: arnOf('mine'),
      hostNames: ['*.example.com', 'example.com'],
      notBefore: expect.any(String),
      expiresAt: expect.any(String),
      importedAt: expect.any(String),
      fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      chain: wildcard.cert,
      inUseBy: [],
    });
    expect((await admin('GET', '/mine')).body).toEqual(imported.body);
    const list = await admin('GET', '');
    expect((list.body.certificates as { id: string }[]).map(({ id }) => id)).toEqual(['main', 'mine']);
    expect(JSON.stringify(list.body)).not.toContain('PRIVATE KEY');
    expect((await admin('DELETE', '/mine')).status).toBe(204);
    expect(refused(await admin('GET', '/mine'))).toBe('404 ResourceNotFoundException: Could not find certificate mine.');
    expect(refused(await admin('DELETE', '/mine'))).toBe('404 ResourceNotFoundException: Could not find certificate mine.');
  });

  test('come in pages', async () => {
    await put('second', wildcard);
    const first = await admin('GET', '?limit=1');
    expect(first.body).toMatchObject({ certificates: [{ id: 'main' }], position: 'main' });
    const { body } = await admin('GET', `?limit=1&position=${first.body.position as string}`);
    expect(body).toMatchObject({ certificates: [{ id: 'second' }], position: null });
  });

  test('no key stands in the database in clear', async () => {
    await api.createDomainName({ domainName: HOST, certificateArn });
    const rows = await house.query('SELECT * FROM certificates WHERE tenant_id = $1', [tenant.account]);
    const line = wildcard.key.split('\n')[1]!;
    for (const table of ['certificates', 'manifest_entries']) {
      const [found] = await house.query<{ count: string }>(
        `SELECT count(*) FROM ${table} AS row WHERE row::text LIKE '%' || $1 || '%' OR row::text LIKE '%' || $2 || '%'`,
        [line, Buffer.from(line).toString('hex')],
      );
      expect([table, Number(found!.count)]).toEqual([table, 0]);
    }
    expect(rows).toHaveLength(1);
  });

  test('that cannot serve are refused, and what was there stays', async () => {
    const before = (await admin('GET', '/main')).body;
    const { cert: certificate, key: privateKey } = wildcard;
    const cases: [unknown, string][] = [
      [{ certificate, privateKey: elsewhere.key }, 'The private key does not match the certificate.'],
      [{ certificate, privateKey: 'no key' }, 'The private key is not a PEM private key without a passphrase.'],
      [{ certificate: 'none', privateKey }, 'The certificate field contains no certificate in PEM.'],
      [
        { certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', privateKey },
        'The certificate field contains an invalid certificate.',
      ],
      [{ certificate: expired.cert, privateKey: expired.key }, 'The certificate expired 2020-02-01T00:00:00.000Z.'],
      [{ certificate: good.cert, privateKey: good.key }, 'The certificate has no DNS name among its subject alternative names.'],
      [
        { certificate, privateKey, chain: authority },
        'The certificate chain is not in order: each certificate must be signed by the one that follows it.',
      ],
      [{ certificate }, 'The body must have the texts certificate and privateKey, and may have chain, all in PEM.'],
    ];
    for (const [body, message] of cases)
      expect(refused(await admin('PUT', '/main', body))).toBe(`400 ValidationException: ${message}`);
    const weak = makeServerCertificate([HOST], { rsaBits: 1024 });
    expect(refused(await put('main', weak))).toBe('400 ValidationException: An RSA key must have at least 2048 bits.');
    expect((await put('-', wildcard)).status).toBe(400);
    expect((await admin('GET', '/main')).body).toEqual(before);
  });

  test('are kept with the chain that leads to their authority', async () => {
    const { body } = await put('chained', wrongName, authority);
    expect(body.chain).toBe(wrongName.cert + authority);
  });

  test('of a domain name are replaced by what still covers it, and not removed', async () => {
    await api.createDomainName({ domainName: HOST, certificateArn });
    expect((await admin('GET', '/main')).body.inUseBy).toEqual([HOST]);
    expect(refused(await admin('DELETE', '/main'))).toBe(
      `409 ResourceInUseException: The certificate is in use by domain names: ${HOST}.`,
    );
    expect(refused(await put('main', elsewhere))).toBe(
      `409 ResourceInUseException: The certificate is in use by domain names it would not cover: ${HOST}.`,
    );
    expect((await put('main', makeServerCertificate([HOST]))).body.hostNames).toEqual([HOST]);
    await api.deleteDomainName({ domainName: HOST });
    expect((await admin('DELETE', '/main')).status).toBe(204);
  });
});

describe('domain names', () => {
  test('CreateDomainName of an edge domain name answers 201 with everything clients read back', async () => {
    const created = await api.createDomainName({ domainName: HOST, certificateArn, tags: { team: 'a' } });
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toStrictEqual({
      domainName: HOST,
      domainNameArn: `arn:aws:apigateway:us-east-1::/domainnames/${HOST}`,
      certificateArn,
      certificateUploadDate: expect.any(Date),
      distributionDomainName: expect.stringMatching(/^d[a-z0-9]{10}\.cloudfront\.net$/),
      distributionHostedZoneId: 'Z2FDTNDATAQYW2',
      endpointConfiguration: { types: ['EDGE'], ipAddressType: 'ipv4' },
      domainNameStatus: 'AVAILABLE',
      securityPolicy: 'TLS_1_2',
      routingMode: 'BASE_PATH_MAPPING_ONLY',
      tags: { team: 'a' },
    });
    expect(answered(await api.getDomainName({ domainName: HOST }))).toStrictEqual(answered(created));
    expect((await api.getDomainNames({})).items!.map(answered)).toStrictEqual([answered(created)]);
    expect((await api.getDomainNames({ resourceOwner: 'OTHER_ACCOUNTS' })).items).toEqual([]);
  });

  test('of a regional one it names a regional host', async () => {
    const created = await api.createDomainName({
      domainName: '*.example.com',
      regionalCertificateArn: certificateArn,
      endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'dualstack' },
      securityPolicy: 'TLS_1_0',
    });
    expect(created).toMatchObject({
      regionalDomainName: expect.stringMatching(/^d-[a-z0-9]{10}\.execute-api\.us-east-1\.amazonaws\.com$/),
      regionalHostedZoneId: 'Z1UJRXOUMOOFQ8',
      regionalCertificateArn: certificateArn,
      endpointConfiguration: { types: ['REGIONAL'], ipAddressType: 'dualstack' },
      securityPolicy: 'TLS_1_0',
    });
    expect(created.distributionDomainName).toBeUndefined();
  });

  test('with the certificate in the call it is kept, shown by its name, and goes with the domain name', async () => {
    const given = { certificateBody: wildcard.cert, certificatePrivateKey: wildcard.key, certificateName: 'old' };
    const created = await api.createDomainName({ domainName: HOST, ...given });
    expect(created).toMatchObject({ certificateName: 'old', certificateUploadDate: expect.any(Date) });
    expect(created.certificateArn).toBeUndefined();
    const count = async () => (await house.query('SELECT id FROM certificates WHERE tenant_id = $1', [tenant.account])).length;
    expect(await count()).toBe(2);
    expect((await admin('GET', '')).body.certificates).toHaveLength(1);
    await api.updateDomainName({ domainName: HOST, patchOperations: [replace('/certificateArn', certificateArn)] });
    expect(await count()).toBe(1);
    expect(await refusalOf(api.createDomainName({ domainName: 'b.example.com', ...given, certificateArn }))).toBe(
      '400 BadRequestException: Either certificateArn or certificateBody can be specified, not both.',
    );
    expect(await refusalOf(api.createDomainName({ domainName: 'b.example.com', ...given, certificateName: '' }))).toBe(
      '400 BadRequestException: Certificate name must be specified',
    );
    expect(
      await refusalOf(api.createDomainName({ domainName: 'b.example.com', ...given, certificatePrivateKey: elsewhere.key })),
    ).toBe('400 BadRequestException: The private key does not match the certificate.');
    expect(await count()).toBe(1);
  });

  test('what cannot be served is refused, and nothing is kept', async () => {
    await put('org', elsewhere);
    const regional = { endpointConfiguration: { types: ['REGIONAL' as const] } };
    const cases: [Parameters<typeof api.createDomainName>[0], string][] = [
      [{ domainName: HOST }, 'A certificate was not provided for the endpoint type EDGE.'],
      [{ domainName: HOST, ...regional }, 'A certificate was not provided for the endpoint type REGIONAL.'],
      [{ domainName: HOST, certificateArn: 'x' }, 'Invalid certificate ARN: x'],
      [{ domainName: HOST, certificateArn: arnOf('none') }, 'The provided certificate does not exist.'],
      [
        { domainName: HOST, certificateArn: certificateArn.replace('us-east-1', 'eu-west-1') },
        'The provided certificate does not exist.',
      ],
      [
        { domainName: HOST, certificateArn: certificateArn.replace(tenant.account, '999999999999') },
        'The certificate provided must be owned by the account creating the domain.',
      ],
      [
        { domainName: HOST, certificateArn: arnOf('org') },
        'The domain name to be created is not covered by the provided certificate.',
      ],
      [
        { domainName: 'a.b.example.com', certificateArn },
        'The domain name to be created is not covered by the provided certificate.',
      ],
      [{ domainName: 'API.example.com', certificateArn }, 'Invalid domain name identifier specified: API.example.com'],
      [{ domainName: 'localhost', certificateArn }, 'Invalid domain name identifier specified: localhost'],
      [{ domainName: '127.0.0.1', certificateArn }, 'Invalid domain name identifier specified: 127.0.0.1'],
      [{ domainName: 'a.*.example.com', certificateArn }, 'Invalid domain name identifier specified: a.*.example.com'],
      [
        { domainName: HOST, certificateArn, endpointConfiguration: { types: ['EDGE', 'REGIONAL'] } },
        'Cannot create a domain name with multiple Endpoint Types.',
      ],
      [
        { domainName: HOST, certificateArn, endpointConfiguration: { types: ['PRIVATE'] } },
        'Private custom domain names are not available on this server.',
      ],
      [
        { domainName: HOST, certificateArn, mutualTlsAuthentication: { truststoreUri: 's3://b/k' } },
        'Mutual TLS authentication of domain names is not available on this server.',
      ],
      [{ domainName: HOST, certificateArn, routingMode: 'ROUTING_RULE_ONLY' }, 'Routing rules are not available on this server.'],
      [
        { domainName: HOST, certificateArn, endpointAccessMode: 'STRICT' },
        'The endpoint access mode STRICT is not available on this server.',
      ],
      [
        { domainName: HOST, certificateArn, regionalCertificateArn: certificateArn },
        'regionalCertificateArn can only be set for the endpoint type REGIONAL.',
      ],
    ];
    for (const [input, message] of cases) {
      expect(await refusalOf(api.createDomainName(input))).toBe(`400 BadRequestException: ${message}`);
    }
    expect((await api.getDomainNames({})).items).toEqual([]);
  });

  test('a name belongs to one tenant', async () => {
    await api.createDomainName({ domainName: HOST, certificateArn });
    const taken = '400 BadRequestException: The domain name you provided already exists.';
    expect(await refusalOf(api.createDomainName({ domainName: HOST, certificateArn }))).toBe(taken);
    tenant = await house.tenant();
    await put('main', wildcard);
    const other = { domainName: HOST, certificateArn: arnOf('main') };
    expect(await refusalOf(tenant.apiGateway.createDomainName(other))).toBe(taken);
    await api.deleteDomainName({ domainName: HOST });
    expect((await tenant.apiGateway.createDomainName(other)).domainName).toBe(HOST);
  });

  test('every PATCH path does what it says, together or not at all', async () => {
    const domainName = HOST;
    await api.createDomainName({ domainName, certificateArn });
    await put('other', wildcard);
    const patch = async (...patchOperations: PatchOperation[]) =>
      answered(await api.updateDomainName({ domainName, patchOperations }));
    expect(await patch()).toStrictEqual(answered(await api.getDomainName({ domainName })));
    const moved = await patch(
      add('/regionalCertificateArn', arnOf('other')),
      replace('/regionalCertificateName', 'r'),
      add('/endpointConfiguration/types', 'REGIONAL'),
      replace('/endpointConfiguration/ipAddressType', 'dualstack'),
      replace('/certificateName', 'e'),
      replace('/ownershipVerificationCertificateArn', arnOf('other')),
      replace('/securityPolicy', 'TLS_1_0'),
      replace('/endpointAccessMode', 'BASIC'),
      replace('/routingMode', 'BASE_PATH_MAPPING_ONLY'),
      replace('/mutualTlsAuthentication/truststoreUri', ''),
      remove('/mutualTlsAuthentication/truststoreVersion'),
      replace('/policy', ''),
      replace('/managementPolicy', ''),
    );
    expect(moved).toMatchObject({
      endpointConfiguration: { types: ['EDGE', 'REGIONAL'], ipAddressType: 'dualstack' },
      certificateArn,
      certificateName: 'e',
      regionalCertificateArn: arnOf('other'),
      regionalCertificateName: 'r',
      regionalDomainName: expect.any(String),
      distributionDomainName: expect.any(String),
      ownershipVerificationCertificateArn: arnOf('other'),
      securityPolicy: 'TLS_1_0',
      endpointAccessMode: 'BASIC',
    });
    const regional = await patch(remove('/endpointConfiguration/types', 'EDGE'), remove('/ownershipVerificationCertificateArn'));
    expect(regional.certificateArn).toBeUndefined();
    expect(regional.distributionDomainName).toBeUndefined();
    expect((await admin('GET', '/main')).body.inUseBy).toEqual([]);
    // As Terraform moves it back.
    const edge = await patch(
      add('/certificateArn', certificateArn),
      replace('/endpointConfiguration/types/0', 'EDGE'),
      remove('/regionalCertificateName'),
    );
    expect(edge).toMatchObject({ endpointConfiguration: { types: ['EDGE'] }, certificateArn });
    expect(edge.regionalCertificateArn).toBeUndefined();
    const before = answered(await api.getDomainName({ domainName }));
    for (const [operation, message] of [
      [remove('/certificateArn'), 'A certificate was not provided for the endpoint type EDGE.'],
      [replace('/certificateArn', arnOf('none')), 'The provided certificate does not exist.'],
      [remove('/endpointConfiguration/types', 'EDGE'), 'A domain name must have at least one Endpoint Type.'],
      [replace('/securityPolicy', 'SSL_3'), 'Invalid security policy specified: "SSL_3"'],
      [replace('/endpointConfiguration/ipAddressType', 'ipv6'), 'ipAddressType must be either ipv4 or dualstack.'],
      [
        add('/mutualTlsAuthentication/truststoreUri', 's3://b/k'),
        'Mutual TLS authentication of domain names is not available on this server.',
      ],
      [
        replace('/policy', '{}'),
        '/policy can only be set for private custom domain names, which are not available on this server.',
      ],
      [
        remove('/securityPolicy'),
        expect.stringMatching(/^Invalid patch path {2}'\/securityPolicy' specified for op 'remove'\. Must be one of: \[/),
      ],
    ] as const) {
      const refusal = await refusalOf(
        api.updateDomainName({ domainName, patchOperations: [replace('/certificateName', 'lost'), operation] }),
      );
      expect(refusal.replace('400 BadRequestException: ', '')).toEqual(message);
    }
    expect(answered(await api.getDomainName({ domainName }))).toStrictEqual(before);
  });

  test('DeleteDomainName answers 202 and takes the mappings with it; an unknown name is 404', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDomainName({ domainName: HOST, certificateArn });
    await api.createBasePathMapping({ domainName: HOST, restApiId });
    expect((await api.deleteDomainName({ domainName: HOST })).$metadata.httpStatusCode).toBe(202);
    const unknown = '404 NotFoundException: Invalid domain name identifier specified';
    for (const call of [
      () => api.getDomainName({ domainName: HOST }),
      () => api.updateDomainName({ domainName: HOST, patchOperations: [] }),
      () => api.deleteDomainName({ domainName: HOST }),
      () => api.createBasePathMapping({ domainName: HOST, restApiId }),
      () => api.getBasePathMappings({ domainName: HOST }),
      () => api.getBasePathMapping({ domainName: HOST, basePath: '(none)' }),
      () => api.updateBasePathMapping({ domainName: HOST, basePath: '(none)', patchOperations: [] }),
      () => api.deleteBasePathMapping({ domainName: HOST, basePath: '(none)' }),
    ]) {
      expect(await refusalOf(call())).toBe(unknown);
    }
    await api.deleteRestApi({ restApiId });
  });

  test('are tagged by their ARN', async () => {
    await api.createDomainName({ domainName: HOST, certificateArn });
    const resourceArn = `arn:aws:apigateway:us-east-1::/domainnames/${HOST}`;
    await api.tagResource({ resourceArn, tags: { team: 'a', cost: '1' } });
    await api.untagResource({ resourceArn, tagKeys: ['cost'] });
    expect((await api.getTags({ resourceArn })).tags).toEqual({ team: 'a' });
    expect((await api.getDomainName({ domainName: HOST })).tags).toEqual({ team: 'a' });
  });

  test('the tag gatehouse:pool binds one to a pool, and its certificate with it; at the creation as later', async () => {
    const pools = () =>
      house.query(
        `SELECT kind, pools, former_pools FROM manifest_entries
         WHERE tenant_id = $1 AND NOT removed AND kind IN ('DOMAIN_NAME', 'CERTIFICATE') ORDER BY kind`,
        [tenant.account],
      );
    const placed = (now: string[], former: string[]) =>
      ['CERTIFICATE', 'DOMAIN_NAME'].map((kind) => ({ kind, pools: now, former_pools: former }));
    await api.createDomainName({ domainName: HOST, certificateArn, tags: { 'gatehouse:pool': 'eu' } });
    expect(await pools()).toEqual(placed(['eu'], []));
    const resourceArn = `arn:aws:apigateway:us-east-1::/domainnames/${HOST}`;
    await api.tagResource({ resourceArn, tags: { 'gatehouse:pool': 'us' } });
    expect(await pools()).toEqual(placed(['us'], ['eu']));
    await api.untagResource({ resourceArn, tagKeys: ['gatehouse:pool'] });
    expect(await pools()).toEqual(placed([], ['eu', 'us']));
    expect(await refusalOf(api.tagResource({ resourceArn, tags: { 'gatehouse:pool': 'no pool' } }))).toContain('400 BadRequest');
    await api.deleteDomainName({ domainName: HOST });
    expect(await pools()).toEqual([]);
  });

  test('come in pages, each once', async () => {
    const domainNames = ['a', 'b', 'c', 'd', 'e'].map((label) => `${label}.example.com`);
    for (const domainName of domainNames) await api.createDomainName({ domainName, certificateArn });
    const found: (string | undefined)[] = [];
    for await (const { items } of paginateGetDomainNames({ client: api }, { limit: 2 })) {
      found.push(...items!.map((item) => item.domainName));
    }
    expect(found).toEqual(domainNames);
  });
});

describe('base path mappings', () => {
  let restApiId: string;
  const domainName = HOST;
  beforeEach(async () => {
    ({ restApiId } = await createMockApi(api));
    await api.createDeployment({ restApiId, stageName: 'dev' });
    await api.createDomainName({ domainName, certificateArn });
  });

  test('are created with and without a base path and a stage, and read back', async () => {
    const created = await api.createBasePathMapping({ domainName, restApiId, stage: 'dev', basePath: 'v1' });
    expect(created.$metadata.httpStatusCode).toBe(201);
    expect(answered(created)).toStrictEqual({ basePath: 'v1', restApiId, stage: 'dev' });
    const empty = await api.createBasePathMapping({ domainName, restApiId });
    expect(answered(empty)).toStrictEqual({ basePath: '(none)', restApiId });
    expect(answered(await api.getBasePathMapping({ domainName, basePath: 'v1' }))).toStrictEqual(answered(created));
    expect(answered(await api.getBasePathMapping({ domainName, basePath: '(none)' }))).toStrictEqual(answered(empty));
    const { items } = await api.getBasePathMappings({ domainName });
    expect(items!.map(answered)).toStrictEqual([answered(empty), answered(created)]);
    expect((await api.deleteBasePathMapping({ domainName, basePath: 'v1' })).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getBasePathMapping({ domainName, basePath: 'v1' }))).toBe(
      '404 NotFoundException: Invalid base path mapping identifier specified',
    );
    expect(await refusalOf(api.deleteBasePathMapping({ domainName, basePath: 'v1' }))).toBe(
      '404 NotFoundException: Invalid base path mapping identifier specified',
    );
  });

  test('what does not fit is refused', async () => {
    await api.createBasePathMapping({ domainName, restApiId, basePath: 'taken' });
    for (const [input, refusal] of [
      [{ basePath: 'taken', restApiId }, '409 ConflictException: Base path already exists for this domain name'],
      [{ restApiId: 'none' }, '400 BadRequestException: Invalid REST API identifier specified'],
      [{ restApiId, stage: 'none' }, '400 BadRequestException: Invalid stage identifier specified'],
      [
        { restApiId, basePath: 'a/b' },
        "400 BadRequestException: API Gateway V1 doesn't support the slash character (/) in base path mappings. " +
          'To create a multi-level base path mapping, use API Gateway V2.',
      ],
      [
        { restApiId, basePath: 'a b' },
        "400 BadRequestException: Base path can only contain letters, numbers and one of $-_.+!*'()",
      ],
    ] as const) {
      expect(await refusalOf(api.createBasePathMapping({ domainName, ...input }))).toBe(refusal);
    }
    expect((await api.getBasePathMappings({ domainName })).items).toHaveLength(1);
  });

  test('every PATCH path does what it says, together or not at all', async () => {
    const other = await createMockApi(api);
    await api.createDeployment({ restApiId: other.restApiId, stageName: 'prod' });
    await api.createBasePathMapping({ domainName, restApiId, stage: 'dev', basePath: 'v1' });
    await api.createBasePathMapping({ domainName, restApiId, basePath: 'taken' });
    const patch = (basePath: string, ...patchOperations: PatchOperation[]) =>
      api.updateBasePathMapping({ domainName, basePath, patchOperations });
    const moved = await patch(
      'v1',
      replace('/restapiId', other.restApiId),
      replace('/stage', 'prod'),
      replace('/basePath', 'v2'),
    );
    expect(answered(moved)).toStrictEqual({ basePath: 'v2', restApiId: other.restApiId, stage: 'prod' });
    expect(answered(await patch('v2'))).toStrictEqual(answered(moved));
    expect(await refusalOf(api.getBasePathMapping({ domainName, basePath: 'v1' }))).toContain('404');
    expect(await refusalOf(patch('v2', replace('/stage', ''), replace('/basePath', 'taken')))).toBe(
      '409 ConflictException: Base path already exists for this domain name',
    );
    expect(await refusalOf(patch('v2', replace('/stage', 'none')))).toBe(
      '400 BadRequestException: Invalid stage identifier specified',
    );
    expect(await refusalOf(patch('v2', replace('/restapiId', 'none')))).toBe(
      '400 BadRequestException: Invalid REST API identifier specified',
    );
    expect(await refusalOf(patch('v2', replace('/restApiId', restApiId)))).toBe(
      "400 BadRequestException: Invalid patch path  '/restApiId' specified for op 'replace'. Must be one of: [/basePath, /restapiId, /stage]",
    );
    expect(answered(await api.getBasePathMapping({ domainName, basePath: 'v2' }))).toStrictEqual(answered(moved));
    const emptied = await patch('v2', replace('/stage', ''), replace('/basePath', '(none)'));
    expect(answered(emptied)).toStrictEqual({ basePath: '(none)', restApiId: other.restApiId });
  });

  test('many writers at once: each base path is somebody’s once, and what is published is what is stored', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 24 }, (_, i) =>
        refusalOf(api.createBasePathMapping({ domainName, restApiId, basePath: `p${i % 8}` })),
      ),
    );
    expect(outcomes.filter((outcome) => outcome.startsWith('409 ConflictException'))).toHaveLength(16);
    await Promise.all([
      ...[0, 1, 2].map((i) => api.deleteBasePathMapping({ domainName, basePath: `p${i}` })),
      put('main', wildcard),
      ...[3, 4].map((i) =>
        api.updateBasePathMapping({ domainName, basePath: `p${i}`, patchOperations: [replace('/basePath', `q${i}`)] }),
      ),
    ]);
    const [entry] = await house.query<{ inline: string }>(
      'SELECT inline FROM manifest_entries WHERE kind = $1 AND tenant_id = $2',
      ['DOMAIN_NAME', tenant.account],
    );
    const published = (JSON.parse(entry!.inline) as { mappings: { basePath: string }[] }).mappings;
    const stored = (await api.getBasePathMappings({ domainName })).items!;
    expect(published.map(({ basePath }) => basePath)).toEqual(['p5', 'p6', 'p7', 'q3', 'q4']);
    expect(stored.map(({ basePath }) => basePath)).toEqual(['p5', 'p6', 'p7', 'q3', 'q4']);
  });

  test('the diagnostics of a stage name the domain names that are served where it is not', async () => {
    const diagnostics = async () => {
      const { text } = await tenant.send({ path: `/admin/v1/apis/${restApiId}/stages/dev/diagnostics` });
      return (JSON.parse(text) as { diagnostics: { path: string }[] }).diagnostics.filter(({ path }) =>
        path.includes('domainnames'),
      );
    };
    await api.createBasePathMapping({ domainName, restApiId, stage: 'dev' });
    expect(await diagnostics()).toEqual([]);
    const resourceArn = `arn:aws:apigateway:us-east-1::/domainnames/${domainName}`;
    await api.tagResource({ resourceArn, tags: { 'gatehouse:pool': 'eu' } });
    expect(await diagnostics()).toEqual([
      {
        severity: 'warning',
        path: `/domainnames/${domainName}`,
        message: 'served by pool "eu", and this API by pool "default": callers of the domain name get 403 Forbidden',
      },
    ]);
    const apiArn = `arn:aws:apigateway:us-east-1::/restapis/${restApiId}`;
    await api.tagResource({ resourceArn: apiArn, tags: { 'gatehouse:pool': 'eu' } });
    expect(await diagnostics()).toEqual([]);
  });

  test('an API is not deleted while a domain name leads to it', async () => {
    await api.createBasePathMapping({ domainName, restApiId, basePath: 'v1' });
    expect(await refusalOf(api.deleteRestApi({ restApiId }))).toBe(
      `400 BadRequestException: Deleting RestApi ${restApiId} failed. Please remove all base path mappings related to the RestApi in your domains: ${domainName}`,
    );
    await api.deleteBasePathMapping({ domainName, basePath: 'v1' });
    await api.deleteRestApi({ restApiId });
  });

  test('come in pages, the empty base path among them', async () => {
    for (const basePath of ['c', '', 'a', 'b']) await api.createBasePathMapping({ domainName, restApiId, basePath });
    const found: (string | undefined)[] = [];
    for await (const { items } of paginateGetBasePathMappings({ client: api }, { domainName, limit: 1 })) {
      found.push(...items!.map(({ basePath }) => basePath));
    }
    expect(found).toEqual(['(none)', 'a', 'b', 'c']);
  });
});

test('from the SDK to a caller: the node shows the certificate, follows its renewal and the mapping, and forgets the host', async () => {
  const scope = await testFolder();
  onTestFinished(() => scope.close());
  const tlsPort = await freePort();
  await startProcess(scope, house.plane.grpcPort, {
    env: { GATEHOUSE_NODE_TOKEN: house.config.nodeToken.reveal(), GATEHOUSE_TLS_PORT: String(tlsPort) },
  });
  const { restApiId } = await createMockApi(api);
  await api.createDeployment({ restApiId, stageName: 'dev' });
  await api.createDomainName({ domainName: HOST, certificateArn });
  await api.createBasePathMapping({ domainName: HOST, restApiId, stage: 'dev', basePath: 'shop' });
  const call = (path: string): Promise<{ status: number; fingerprint: string }> =>
    new Promise((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port: tlsPort,
        path,
        servername: HOST,
        rejectUnauthorized: false,
        agent: false,
      } as const;
      get({ ...options, headers: { host: HOST } }, (response) => {
        const { fingerprint256 } = (response.socket as TLSSocket).getPeerCertificate();
        resolve({ status: response.resume().statusCode!, fingerprint: fingerprint256 });
      }).on('error', reject);
    });
  const eventually = (assertion: () => Promise<void>) => vi.waitFor(assertion, { timeout: 15_000, interval: 50 });
  const shows = ({ cert }: Certificate, status = 200) => ({ status, fingerprint: new X509Certificate(cert).fingerprint256 });
  await eventually(async () => expect(await call('/shop/users')).toEqual(shows(wildcard)));
  expect((await call('/users')).status).toBe(403);

  const renewed = makeServerCertificate([HOST]);
  await put('main', renewed);
  await eventually(async () => expect(await call('/shop/users')).toEqual(shows(renewed)));
  await api.updateBasePathMapping({ domainName: HOST, basePath: 'shop', patchOperations: [replace('/basePath', '(none)')] });
  await eventually(async () => expect(await call('/users')).toEqual(shows(renewed)));
  await api.deleteDomainName({ domainName: HOST });
  await eventually(() => expect(call('/users')).rejects.toThrow());
}, 60_000);
