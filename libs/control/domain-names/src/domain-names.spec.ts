/** What the conformance specs cannot see in time: bounds, and what a change leaves behind. */
import type { OperationContext } from '@gatehouse/control-wire';
import { InMemoryStore, tenantId, type OwnQuotas } from '@gatehouse/domain';
import { sampleCertificate, sampleRestApi } from '@gatehouse/domain/samples';
import { ManualClock, Secret, SequentialIds } from '@gatehouse/kernel';
import { makeServerCertificate } from '@gatehouse/testkit';
import { beforeEach, expect, test } from 'vitest';
import { Certificates } from './certificates.service.js';
import { domainNameOperations } from './domain-names.operations.js';

const TENANT = tenantId('111111111111');
const ARN = `arn:aws:acm:us-east-1:${TENANT}:certificate/one`;
const context: OperationContext = {
  caller: { tenant: TENANT, accessKeyId: 'AKIA', principalArn: `arn:aws:iam::${TENANT}:user/admin`, region: 'us-east-1' },
  requestId: 'request',
  headers: {},
};
const api = sampleRestApi();
const { cert: certificate, key } = makeServerCertificate(['*.example.com']);
const text = { certificate, chain: '', privateKey: new Secret(key) };

let store: InMemoryStore;
let clock: ManualClock;
beforeEach(async () => {
  clock = new ManualClock(Date.now());
  store = new InMemoryStore(clock);
  await store.tenants.transact(TENANT, async (tx) => {
    await tx.restApis.insert(api);
    await tx.certificates.insert(sampleCertificate({ expiresAtMs: clock.nowMs() + 1_000 }));
  });
});
const operations = () => domainNameOperations({ store: store.tenants, clock, ids: new SequentialIds() });
const setQuotas = (quotas: OwnQuotas) => store.tenants.transact(TENANT, (tx) => tx.quotas.write(quotas));
const published = async () =>
  (await store.manifest.all(['DOMAIN_NAME', 'CERTIFICATE'])).map(({ kind, id }) => `${kind} ${id}`).sort();

test('a tenant has so many domain names, mappings of each, and certificates', async () => {
  await setQuotas({ domainNames: 1, basePathMappings: 1, certificates: 1 });
  const { CreateDomainName, CreateBasePathMapping } = operations();
  await CreateDomainName(context, { domainName: 'a.example.com', certificateArn: ARN });
  await expect(CreateDomainName(context, { domainName: 'b.example.com', certificateArn: ARN })).rejects.toThrow(
    /Maximum number of domain names/,
  );
  const mapping = { domainName: 'a.example.com', restApiId: api.id };
  await CreateBasePathMapping(context, { ...mapping, basePath: 'a' });
  await expect(CreateBasePathMapping(context, { ...mapping, basePath: 'b' })).rejects.toThrow(
    /Maximum number of base path mappings/,
  );
  const certificates = new Certificates(store.tenants, clock);
  await expect(certificates.put(TENANT, 'us-east-1', 'two', text)).rejects.toThrow(/Maximum number of certificates/);
  await certificates.put(TENANT, 'us-east-1', 'one', text); // one in the place of another is not one more
});

test('a certificate that has expired is not taken for a domain name, hinders no other change of one that has it, and is renewed', async () => {
  const { CreateDomainName, UpdateDomainName } = operations();
  await CreateDomainName(context, { domainName: 'a.example.com', certificateArn: ARN });
  clock.advance(2_000);
  await expect(CreateDomainName(context, { domainName: 'b.example.com', certificateArn: ARN })).rejects.toThrow(
    'The provided certificate has expired.',
  );
  const patchOperations = [{ op: 'replace', path: '/securityPolicy', value: 'TLS_1_0' } as const];
  await UpdateDomainName(context, { domainName: 'a.example.com', patchOperations });
  await new Certificates(store.tenants, clock).put(TENANT, 'us-east-1', 'one', text);
  await CreateDomainName(context, { domainName: 'b.example.com', certificateArn: ARN });
});

test('another certificate takes the place of the one before on the nodes, and nothing is left of a domain name that goes', async () => {
  const { CreateDomainName, UpdateDomainName, DeleteDomainName } = operations();
  await new Certificates(store.tenants, clock).put(TENANT, 'us-east-1', 'two', text);
  await CreateDomainName(context, { domainName: 'a.example.com', certificateArn: ARN });
  expect(await published()).toEqual([`CERTIFICATE ${TENANT}:one`, 'DOMAIN_NAME a.example.com']);
  const patchOperations = [{ op: 'replace', path: '/certificateArn', value: ARN.replace('one', 'two') } as const];
  await UpdateDomainName(context, { domainName: 'a.example.com', patchOperations });
  expect(await published()).toEqual([`CERTIFICATE ${TENANT}:two`, 'DOMAIN_NAME a.example.com']);
  await DeleteDomainName(context, { domainName: 'a.example.com' });
  expect(await published()).toEqual([]);
});

test('a certificate that came with its domain name goes with it, here and on the nodes', async () => {
  const { CreateDomainName, DeleteDomainName } = operations();
  const inline = { certificateName: 'mine', certificateBody: certificate, certificatePrivateKey: key };
  await CreateDomainName(context, { domainName: 'a.example.com', ...inline });
  expect(await published()).toEqual([expect.stringMatching(/^CERTIFICATE \d{12}:inline-/), 'DOMAIN_NAME a.example.com']);
  await DeleteDomainName(context, { domainName: 'a.example.com' });
  expect(await published()).toEqual([]);
  expect(await store.tenants.transact(TENANT, (tx) => tx.certificates.count())).toBe(1);
});
