/** Client certificates and VPC links: exact answers, exact refusals, and who keeps them from being deleted. */
import {
  paginateGetClientCertificates,
  paginateGetVpcLinks,
  type ClientCertificate,
  type PatchOperation,
} from '@aws-sdk/client-api-gateway';
import {
  answered,
  createMockApi,
  refusalOf,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { tenantId } from '@gatehouse/domain';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

const NLB = 'arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/inner/0123456789abcdef';
const DAY_MS = 24 * 3_600_000;
const UNKNOWN_CERTIFICATE = '404 NotFoundException: Invalid client certificate identifier specified';
const UNKNOWN_LINK = '404 NotFoundException: Invalid Vpc Link identifier specified';
const NO_SUCH_LINK = '400 BadRequestException: Invalid Vpc Link identifier specified';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
});
beforeEach(async () => {
  tenant = await house.tenant();
  api = tenant.apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

const replace = (path: string, value?: string): PatchOperation => ({ op: 'replace', path, value });

describe('client certificates', () => {
  test('are generated, read, described, listed and deleted', async () => {
    const made = answered(await api.generateClientCertificate({ description: 'towards pets', tags: { a: '1' } }));
    const expected = {
      clientCertificateId: expect.stringMatching(/^[a-z0-9]{6}$/),
      description: 'towards pets',
      pemEncodedCertificate: expect.stringMatching(/^-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n$/),
      createdDate: expect.any(Date),
      expirationDate: expect.any(Date),
      tags: { a: '1' },
    };
    expect(made).toEqual(expected);
    const key = { clientCertificateId: made.clientCertificateId! };
    expect(answered(await api.getClientCertificate(key))).toEqual(made);
    expect(answered(await api.updateClientCertificate({ ...key, patchOperations: [] }))).toEqual(made);
    const changed = await api.updateClientCertificate({ ...key, patchOperations: [replace('/description', 'other')] });
    expect(answered(changed)).toEqual({ ...made, description: 'other' });
    expect(answered(await api.getClientCertificates({}))).toEqual({ items: [{ ...made, description: 'other' }] });
    expect((await api.deleteClientCertificate(key)).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getClientCertificate(key))).toBe(UNKNOWN_CERTIFICATE);
  });

  test('without a description and tags have neither', async () => {
    const made = answered(await api.generateClientCertificate({}));
    expect(Object.keys(made).sort()).toEqual(['clientCertificateId', 'createdDate', 'expirationDate', 'pemEncodedCertificate']);
  });

  test('are X.509 certificates of an RSA key of their own, signed by it, for 365 days', async () => {
    const [one, other] = [await api.generateClientCertificate({}), await api.generateClientCertificate({})];
    const { certificate, createdDate, expirationDate } = read(one);
    expect(certificate.subject).toBe('CN=ApiGateway');
    expect(certificate.publicKey.asymmetricKeyType).toBe('rsa');
    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)).toBe(true);
    expect(expirationDate.getTime() - createdDate.getTime()).toBe(365 * DAY_MS);
    expect([certificate.validFromDate, certificate.validToDate]).toEqual([createdDate, expirationDate]);
    const another = read(other).certificate;
    expect(another.serialNumber).not.toBe(certificate.serialNumber);
    expect(another.publicKey.equals(certificate.publicKey)).toBe(false);
  });

  test('have their key sealed in the database, and nowhere else', async () => {
    const { clientCertificateId, pemEncodedCertificate } = await api.generateClientCertificate({});
    const [row] = await house.query<{ document: object; sealed_key: Buffer }>(
      'SELECT document, sealed_key FROM client_certificates WHERE tenant_id = $1',
      [tenant.account],
    );
    expect(Object.keys(row!.document)).not.toContain('privateKeyPem');
    expect(JSON.stringify(row!.document)).not.toContain('PRIVATE KEY');
    expect(row!.sealed_key.toString('latin1')).not.toContain('PRIVATE KEY');
    // It opens with the key of the installation, and is the key of the certificate.
    const { privateKeyPem } = (await house.plane.store.tenants.transact(tenantId(tenant.account), (tx) =>
      tx.clientCertificates.find(clientCertificateId!),
    ))!;
    expect(new X509Certificate(pemEncodedCertificate!).checkPrivateKey(createPrivateKey(privateKeyPem.reveal()))).toBe(true);
  });

  test('come in pages', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await api.generateClientCertificate({})).clientCertificateId!);
    const seen: string[] = [];
    for await (const page of paginateGetClientCertificates({ client: api, pageSize: 2 }, {}))
      seen.push(...page.items!.map(({ clientCertificateId }) => clientCertificateId!));
    expect(seen).toEqual(ids.sort());
  });

  test('are shown by a stage that names one, which keeps it from being deleted', async () => {
    const { clientCertificateId } = await api.generateClientCertificate({});
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const name = (value: string) =>
      api.updateStage({ restApiId, stageName: 'dev', patchOperations: [replace('/clientCertificateId', value)] });
    expect(await refusalOf(name('nobody'))).toBe('400 BadRequestException: Invalid client certificate identifier specified');
    expect((await name(clientCertificateId!)).clientCertificateId).toBe(clientCertificateId);
    expect((await api.getStage({ restApiId, stageName: 'dev' })).clientCertificateId).toBe(clientCertificateId);
    expect(await refusalOf(api.deleteClientCertificate({ clientCertificateId }))).toBe(
      `400 BadRequestException: Cannot delete client certificate. Client certificate '${clientCertificateId}', is referenced in ` +
        `[${restApiId}:dev] in format of [RESTApiId:Stage].`,
    );
    expect((await name('')).clientCertificateId).toBeUndefined();
    await api.deleteClientCertificate({ clientCertificateId });
    expect(await refusalOf(name(clientCertificateId!))).toBe(
      '400 BadRequestException: Invalid client certificate identifier specified',
    );
  });

  test('of another tenant cannot be named by a stage', async () => {
    const stranger = await house.tenant();
    const { clientCertificateId } = await stranger.apiGateway.generateClientCertificate({});
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    const patchOperations = [replace('/clientCertificateId', clientCertificateId)];
    expect(await refusalOf(api.updateStage({ restApiId, stageName: 'dev', patchOperations }))).toBe(
      '400 BadRequestException: Invalid client certificate identifier specified',
    );
  });

  test('have a quota of 60', async () => {
    await house.query(
      `INSERT INTO client_certificates (tenant_id, id, sealed_key, document) SELECT $1, 'c' || i, '', '{}' FROM generate_series(1, 60) i`,
      [tenant.account],
    );
    expect(await refusalOf(api.generateClientCertificate({}))).toBe(
      '429 LimitExceededException: Maximum number of client certificates for this account has been reached. (quota clientCertificates: 60)',
    );
  });

  test('are tagged by ARN', async () => {
    const { clientCertificateId } = await api.generateClientCertificate({ tags: { a: '1' } });
    await tags(`/clientcertificates/${clientCertificateId}`);
    expect((await api.getClientCertificate({ clientCertificateId })).tags).toEqual({ b: '2' });
    expect(await refusalOf(api.generateClientCertificate({ tags: { 'aws:x': '1' } }))).toContain('400 BadRequestException');
  });

  test('that are not there, or PATCHed where nothing can be, are refused', async () => {
    const { clientCertificateId } = await api.generateClientCertificate({});
    const unknown = { clientCertificateId: 'nobody' };
    expect(await refusalOf(api.updateClientCertificate({ ...unknown, patchOperations: [] }))).toBe(UNKNOWN_CERTIFICATE);
    expect(await refusalOf(api.deleteClientCertificate(unknown))).toBe(UNKNOWN_CERTIFICATE);
    const patch = (operation: PatchOperation) =>
      refusalOf(api.updateClientCertificate({ clientCertificateId, patchOperations: [operation] }));
    expect(await patch(replace('/pemEncodedCertificate', 'x'))).toBe(
      "400 BadRequestException: Invalid patch path  '/pemEncodedCertificate' specified for op 'replace'. Must be one of: [/description]",
    );
    expect(await patch({ op: 'remove', path: '/description' })).toBe(
      "400 BadRequestException: Invalid patch path  '/description' specified for op 'remove'. Please choose supported operations",
    );
  });
});

describe('VPC links', () => {
  test('are created, read, renamed, listed and deleted', async () => {
    const created = await api.createVpcLink({ name: 'inner', description: 'd', targetArns: [NLB], tags: { a: '1' } });
    expect(created.$metadata.httpStatusCode).toBe(202);
    const vpcLinkId = created.id!;
    const link = { id: vpcLinkId, name: 'inner', description: 'd', targetArns: [NLB], tags: { a: '1' } };
    expect(vpcLinkId).toMatch(/^[a-z0-9]{6}$/);
    expect(answered(created)).toEqual({ ...link, status: 'PENDING' });
    const ready = { ...link, status: 'AVAILABLE', statusMessage: 'Your vpc link is ready for use' };
    expect(answered(await api.getVpcLink({ vpcLinkId }))).toEqual(ready);
    expect(answered(await api.updateVpcLink({ vpcLinkId, patchOperations: [] }))).toEqual(ready);
    const patchOperations = [replace('/name', 'outer'), replace('/description', '')];
    const renamed = { ...link, name: 'outer', description: undefined, status: ready.status, statusMessage: ready.statusMessage };
    expect(answered(await api.updateVpcLink({ vpcLinkId, patchOperations }))).toEqual(renamed);
    expect(answered(await api.getVpcLinks({}))).toEqual({ items: [renamed] });
    expect((await api.deleteVpcLink({ vpcLinkId })).$metadata.httpStatusCode).toBe(202);
    expect(await refusalOf(api.getVpcLink({ vpcLinkId }))).toBe(UNKNOWN_LINK);
  });

  test('without tags show none when created and listed, and empty ones when read', async () => {
    const created = await api.createVpcLink({ name: 'inner', targetArns: [NLB] });
    expect(created.tags).toBeUndefined();
    expect((await api.getVpcLinks({})).items![0]!.tags).toBeUndefined();
    expect((await api.getVpcLink({ vpcLinkId: created.id })).tags).toEqual({});
    expect((await api.updateVpcLink({ vpcLinkId: created.id, patchOperations: [] })).tags).toEqual({});
  });

  for (const [what, input, refusal] of [
    ['an empty name', { name: '' }, 'Name cannot be empty'],
    ['what is no ARN', { targetArns: ['nlb'] }, 'Invalid ARN. ARN is not well formed nlb'],
    ['no target', { targetArns: [] }, 'A VPC link must have one target ARN, got 0'],
    ['two targets', { targetArns: [NLB, `${NLB}2`] }, 'A VPC link must have one target ARN, got 2'],
    ['a reserved tag', { tags: { 'aws:x': '1' } }, 'Invalid tag key "aws:x": aws: is a reserved prefix'],
  ] as const) {
    test(`are refused with ${what}`, async () => {
      const refused = api.createVpcLink({
        name: 'inner',
        ...input,
        targetArns: [...('targetArns' in input ? input.targetArns : [NLB])],
      });
      expect(await refusalOf(refused)).toBe(`400 BadRequestException: ${refusal}`);
      expect((await api.getVpcLinks({})).items).toEqual([]);
    });
  }

  test('have a quota of 20', async () => {
    for (let i = 0; i < 20; i++) await api.createVpcLink({ name: `l${i}`, targetArns: [NLB] });
    expect(await refusalOf(api.createVpcLink({ name: 'one more', targetArns: [NLB] }))).toBe(
      '429 LimitExceededException: Maximum number of VPC links for this account has been reached. (quota vpcLinks: 20)',
    );
    const sizes: number[] = [];
    for await (const page of paginateGetVpcLinks({ client: api, pageSize: 8 }, {})) sizes.push(page.items!.length);
    expect(sizes).toEqual([8, 8, 4]);
  });

  test('are tagged by ARN', async () => {
    const { id: vpcLinkId } = await api.createVpcLink({ name: 'inner', targetArns: [NLB], tags: { a: '1' } });
    await tags(`/vpclinks/${vpcLinkId}`);
    expect((await api.getVpcLink({ vpcLinkId })).tags).toEqual({ b: '2' });
  });

  test('that are not there, or PATCHed where nothing can be, are refused', async () => {
    const { id: vpcLinkId } = await api.createVpcLink({ name: 'inner', targetArns: [NLB] });
    expect(await refusalOf(api.updateVpcLink({ vpcLinkId: 'nobody', patchOperations: [] }))).toBe(UNKNOWN_LINK);
    expect(await refusalOf(api.deleteVpcLink({ vpcLinkId: 'nobody' }))).toBe(UNKNOWN_LINK);
    const patch = (operation: PatchOperation) => refusalOf(api.updateVpcLink({ vpcLinkId, patchOperations: [operation] }));
    expect(await patch(replace('/targetArns', NLB))).toBe(
      "400 BadRequestException: Invalid patch path  '/targetArns' specified for op 'replace'. Must be one of: [/name, /description]",
    );
    expect(await patch(replace('/name', ''))).toBe('400 BadRequestException: Name cannot be empty');
  });

  describe('of an integration', () => {
    const through = (connectionId: string | undefined) =>
      ({
        type: 'HTTP_PROXY',
        integrationHttpMethod: 'GET',
        uri: 'http://inner.example.com/pets',
        connectionType: 'VPC_LINK',
        connectionId,
      }) as const;

    test('must exist, are read back, and stay while it names them', async () => {
      const { id: vpcLinkId } = await api.createVpcLink({ name: 'inner', targetArns: [NLB] });
      const { key } = await createMockApi(api);
      expect(await refusalOf(api.putIntegration({ ...key, ...through('nobody') }))).toBe(NO_SUCH_LINK);
      expect(await refusalOf(api.putIntegration({ ...key, ...through(undefined) }))).toBe(NO_SUCH_LINK);
      expect(await refusalOf(api.putIntegration({ ...key, ...through(vpcLinkId), connectionType: 'INTERNET' }))).toBe(
        NO_SUCH_LINK,
      );
      await api.putIntegration({ ...key, ...through(vpcLinkId) });
      const expected = { connectionType: 'VPC_LINK', connectionId: vpcLinkId };
      expect(await api.getIntegration(key)).toMatchObject(expected);
      expect(await refusalOf(api.deleteVpcLink({ vpcLinkId }))).toBe(
        `400 BadRequestException: Cannot delete vpc link. Vpc link '${vpcLinkId}', is referenced in ` +
          `[${key.restApiId}:GET:${key.resourceId}:test-invoke-stage] in format of [RESTApiId:Method:Resource:Stage].`,
      );
      await api.updateIntegration({
        ...key,
        patchOperations: [replace('/connectionType', 'INTERNET'), replace('/connectionId', '')],
      });
      expect((await api.getIntegration(key)).connectionId).toBeUndefined();
      await api.deleteVpcLink({ vpcLinkId });
      const patchOperations = [replace('/connectionType', 'VPC_LINK'), replace('/connectionId', vpcLinkId)];
      expect(await refusalOf(api.updateIntegration({ ...key, patchOperations }))).toBe(NO_SUCH_LINK);
      expect(await refusalOf(api.updateIntegration({ ...key, patchOperations: [replace('/connectionType', 'TUNNEL')] }))).toBe(
        '400 BadRequestException: Invalid connection type specified. Valid options are INTERNET,VPC_LINK',
      );
    });

    test('may be left to a stage variable', async () => {
      const { key } = await createMockApi(api);
      await api.putIntegration({ ...key, ...through('${stageVariables.link}') });
      expect(await api.getIntegration(key)).toMatchObject({ connectionId: '${stageVariables.link}' });
    });

    test('of another tenant cannot be named', async () => {
      const stranger = await house.tenant();
      const { id } = await stranger.apiGateway.createVpcLink({ name: 'theirs', targetArns: [NLB] });
      const { key } = await createMockApi(api);
      expect(await refusalOf(api.putIntegration({ ...key, ...through(id) }))).toBe(NO_SUCH_LINK);
    });

    test('are gone once their API is', async () => {
      const { id: vpcLinkId } = await api.createVpcLink({ name: 'inner', targetArns: [NLB] });
      const { key, restApiId } = await createMockApi(api);
      await api.putIntegration({ ...key, ...through(vpcLinkId) });
      await api.deleteRestApi({ restApiId });
      await api.deleteVpcLink({ vpcLinkId });
    });
  });
});

/** What Terraform's provider sends and compares (control-plane reference §8.1). */
describe('Terraform', () => {
  test('aws_api_gateway_client_certificate', async () => {
    const { clientCertificateId } = await api.generateClientCertificate({
      description: 'Managed by Terraform',
      tags: { a: '1' },
    });
    const read = () => api.getClientCertificate({ clientCertificateId });
    const first = await read();
    const expected = {
      createdDate: expect.any(Date),
      expirationDate: expect.any(Date),
      pemEncodedCertificate: expect.stringContaining('BEGIN CERTIFICATE'),
      description: 'Managed by Terraform',
      tags: { a: '1' },
    };
    expect(first).toMatchObject(expected);
    await api.updateClientCertificate({ clientCertificateId, patchOperations: [replace('/description', 'x')] });
    expect(answered(await read())).toEqual({ ...answered(first), description: 'x' });
  });

  test('aws_api_gateway_vpc_link', async () => {
    const { id: vpcLinkId } = await api.createVpcLink({ name: 'inner', description: 'd', targetArns: [NLB], tags: { a: '1' } });
    const read = () => api.getVpcLink({ vpcLinkId });
    const expected = { status: 'AVAILABLE', name: 'inner', description: 'd', targetArns: [NLB], tags: { a: '1' } };
    expect(await read()).toMatchObject(expected);
    await api.updateVpcLink({ vpcLinkId, patchOperations: [replace('/name', 'n'), replace('/description', 'e')] });
    expect(await read()).toMatchObject({ ...expected, name: 'n', description: 'e' });
    await api.deleteVpcLink({ vpcLinkId });
    expect(await refusalOf(read())).toBe(UNKNOWN_LINK);
  });
});

/** From `{a: 1}` to `{b: 2}`. */
async function tags(resource: string): Promise<void> {
  const resourceArn = `arn:aws:apigateway:us-east-1::${resource}`;
  await api.tagResource({ resourceArn, tags: { b: '2' } });
  expect((await api.getTags({ resourceArn })).tags).toEqual({ a: '1', b: '2' });
  await api.untagResource({ resourceArn, tagKeys: ['a'] });
}

function read({ pemEncodedCertificate, createdDate, expirationDate }: ClientCertificate) {
  return {
    certificate: new X509Certificate(pemEncodedCertificate!),
    createdDate: createdDate!,
    expirationDate: expirationDate!,
  };
}
