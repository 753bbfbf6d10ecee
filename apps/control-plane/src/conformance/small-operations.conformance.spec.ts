/** Flushes of a stage's caches, and access associations of private domain names, of which there are none. */
import {
  answered,
  createMockApi,
  refusalOf,
  startControlPlaneHouse,
  type ControlPlaneHouse,
  type TestTenant,
} from '@gatehouse/testkit';
import { tenantId } from '@gatehouse/domain';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../control-plane.js';
import { bugs, composition } from './composition.js';

let house: ControlPlaneHouse<ControlPlane>;
let tenant: TestTenant;
let api: TestTenant['apiGateway'];
beforeAll(async () => {
  house = await startControlPlaneHouse(composition);
  tenant = await house.tenant();
  api = tenant.apiGateway;
});
afterAll(async () => {
  await house.close();
  expect(bugs).toEqual([]);
});

describe('flushing the caches of a stage', () => {
  /** What nodes are told of the stage. */
  const published = (restApiId: string) =>
    house.plane.store.tenants.transact(tenantId(tenant.account), async (tx) => {
      const entry = await tx.manifest.find('STAGE', `${restApiId}/dev`);
      const bytes = await tx.blobs.get(entry!.content!.digest!);
      const { cacheEpochs } = JSON.parse(Buffer.from(bytes!).toString()) as { cacheEpochs?: object };
      return { revision: entry!.revision, cacheEpochs };
    });

  test('is told to the nodes, one cache apart from the other, and leaves the stage as it is', async () => {
    const { restApiId } = await createMockApi(api);
    const stageName = 'dev';
    await api.createDeployment({ restApiId, stageName });
    const stage = answered(await api.getStage({ restApiId, stageName }));
    const before = await published(restApiId);
    expect(before.cacheEpochs).toBeUndefined();

    expect((await api.flushStageCache({ restApiId, stageName })).$metadata.httpStatusCode).toBe(202);
    const once = await published(restApiId);
    expect(once.cacheEpochs).toEqual({ responses: 1, authorizers: 0 });
    expect(once.revision).toBeGreaterThan(before.revision);

    expect((await api.flushStageAuthorizersCache({ restApiId, stageName })).$metadata.httpStatusCode).toBe(202);
    await api.flushStageCache({ restApiId, stageName });
    expect((await published(restApiId)).cacheEpochs).toEqual({ responses: 2, authorizers: 1 });
    expect(answered(await api.getStage({ restApiId, stageName }))).toEqual(stage);
  });

  test('survives the next deployment', async () => {
    const { restApiId } = await createMockApi(api);
    await api.createDeployment({ restApiId, stageName: 'dev' });
    await api.flushStageCache({ restApiId, stageName: 'dev' });
    await api.createDeployment({ restApiId, stageName: 'dev' });
    expect((await published(restApiId)).cacheEpochs).toEqual({ responses: 1, authorizers: 0 });
  });

  test('of what is not there is refused', async () => {
    const { restApiId } = await createMockApi(api);
    for (const flush of [api.flushStageCache.bind(api), api.flushStageAuthorizersCache.bind(api)]) {
      expect(await refusalOf(flush({ restApiId, stageName: 'none' }))).toBe(
        '404 NotFoundException: Invalid stage identifier specified',
      );
      expect(await refusalOf(flush({ restApiId: 'zzzzzzzzzz', stageName: 'none' }))).toBe(
        `404 NotFoundException: Invalid API identifier specified ${tenant.account}:zzzzzzzzzz`,
      );
    }
  });
});

describe('access associations', () => {
  const domainNameArn = 'arn:aws:apigateway:us-east-1:111111111111:/domainnames/private.example.com+abcde12345';
  const domainNameAccessAssociationArn =
    'arn:aws:apigateway:us-east-1:111111111111:/domainnameaccessassociations/domainname/private.example.com+abcde12345/vpcesource/vpce-1';
  const source = { accessAssociationSourceType: 'VPCE', accessAssociationSource: 'vpce-1' } as const;
  const BAD_ARN = '400 BadRequestException: Invalid ARN specified in the request';
  const UNKNOWN = '404 NotFoundException: Invalid domain name access association identifier specified';

  test('are none', async () => {
    for (const resourceOwner of [undefined, 'SELF', 'OTHER_ACCOUNTS'] as const)
      expect(answered(await api.getDomainNameAccessAssociations({ resourceOwner, limit: 5 }))).toEqual({ items: [] });
  });

  test('cannot be created', async () => {
    const create = (input: Partial<Parameters<typeof api.createDomainNameAccessAssociation>[0]>) =>
      refusalOf(api.createDomainNameAccessAssociation({ domainNameArn, ...source, ...input }));
    expect(await create({})).toBe(
      '400 BadRequestException: Domain name access associations can only be created for private domain names, of which there are none',
    );
    expect(await create({ domainNameArn: 'private.example.com' })).toBe(BAD_ARN);
    expect(await create({ accessAssociationSource: '' })).toBe(
      '400 BadRequestException: Access association source must be specified',
    );
    expect(await create({ accessAssociationSourceType: 'VPC' as never })).toContain('Member must satisfy enum value set: [VPCE]');
  });

  test('cannot be deleted or rejected', async () => {
    expect(await refusalOf(api.deleteDomainNameAccessAssociation({ domainNameAccessAssociationArn }))).toBe(UNKNOWN);
    expect(await refusalOf(api.deleteDomainNameAccessAssociation({ domainNameAccessAssociationArn: 'x' }))).toBe(BAD_ARN);
    expect(await refusalOf(api.rejectDomainNameAccessAssociation({ domainNameArn, domainNameAccessAssociationArn }))).toBe(
      UNKNOWN,
    );
    expect(await refusalOf(api.rejectDomainNameAccessAssociation({ domainNameArn: 'x', domainNameAccessAssociationArn }))).toBe(
      BAD_ARN,
    );
  });
});
