import type { CertificateEntry, DomainNameEntry } from '@gatehouse/contracts';
import {
  entryForPool,
  InMemoryStore,
  POOL_TAG,
  tenantId,
  type DomainName,
  type ManifestEntry,
  type TenantRepositories,
} from '@gatehouse/domain';
import { sampleCertificate, sampleDomainName } from '@gatehouse/domain/samples';
import { ManualClock, Secret } from '@gatehouse/kernel';
import { beforeEach, describe, expect, test } from 'vitest';
import { placeTenant } from './placement.js';
import { publishCertificate, publishDomainName, unpublishDomainName } from './publish-domain-names.js';

const TENANT = tenantId('111111111111');
const KINDS = ['DOMAIN_NAME', 'CERTIFICATE'] as const;

let store: InMemoryStore;
beforeEach(async () => {
  store = new InMemoryStore(new ManualClock());
  await transact((tx) => tx.certificates.insert(sampleCertificate()));
});

const transact = <T>(work: (tx: TenantRepositories) => Promise<T>) => store.tenants.transact(TENANT, work);
const inlineOf = <T>({ content }: ManifestEntry): T => JSON.parse(content!.inline) as T;
const names = (entries: readonly ManifestEntry[]) => entries.map(({ kind, id }) => `${kind} ${id}`).sort();
/** What the transaction says to nodes of a pool. */
async function told(pool: string, work: (tx: TenantRepositories) => Promise<unknown>): Promise<ManifestEntry[]> {
  const before = await store.manifest.head();
  await transact(work);
  const since = (await store.manifest.since(before, KINDS))!;
  return since.map((entry) => entryForPool(entry, pool)).filter((entry) => entry !== null);
}
const add = (domain: DomainName) => async (tx: TenantRepositories) => {
  await tx.domainNames.insert(domain);
  await publishDomainName(tx, domain);
};

describe('a domain name', () => {
  test('is published with its mappings, and its certificate beside it', async () => {
    const domain = sampleDomainName();
    const entries = await told('default', async (tx) => {
      await tx.domainNames.insert(domain);
      await tx.basePathMappings.insert({ domainName: domain.name, basePath: '', restApiId: 'a', stage: 'dev' });
      await tx.basePathMappings.insert({ domainName: domain.name, basePath: 'v1', restApiId: 'b', stage: null });
      await publishDomainName(tx, domain);
    });
    expect(names(entries)).toEqual(['CERTIFICATE 111111111111:one', 'DOMAIN_NAME api.example.com']);
    const [certificate, name] = entries;
    expect(inlineOf<DomainNameEntry>(name!)).toEqual({
      domainName: 'api.example.com',
      tenant: TENANT,
      certificateId: 'one',
      securityPolicy: 'TLS_1_2',
      mappings: [
        { basePath: '', apiId: 'a', stage: 'dev' },
        { basePath: 'v1', apiId: 'b', stage: null },
      ],
    });
    expect(inlineOf<CertificateEntry>(certificate!)).toEqual({
      certificateId: 'one',
      tenant: TENANT,
      chainPem: 'chain',
      privateKeyPem: 'key',
      hostNames: ['*.example.com'],
      expiresAtMs: 1,
    });
  });

  test('a renewal says the certificate and nothing else, whatever number of domain names show it', async () => {
    for (let i = 0; i < 50; i++) await transact(add(sampleDomainName({ name: `d${i}.example.com` })));
    const entries = await told('default', async (tx) => {
      await tx.certificates.replace(sampleCertificate({ chainPem: 'renewed', privateKeyPem: new Secret('other') }));
      await publishCertificate(tx, 'one');
    });
    expect(names(entries)).toEqual(['CERTIFICATE 111111111111:one']);
    expect(inlineOf<CertificateEntry>(entries[0]!)).toMatchObject({ chainPem: 'renewed', privateKeyPem: 'other' });
  });

  test('a change of a mapping says no key', async () => {
    const domain = sampleDomainName();
    await transact(add(domain));
    const entries = await told('default', async (tx) => {
      await tx.basePathMappings.insert({ domainName: domain.name, basePath: 'v1', restApiId: 'b', stage: null });
      await publishDomainName(tx, domain);
    });
    expect(names(entries)).toEqual(['DOMAIN_NAME api.example.com']);
  });

  test('a certificate that no domain name shows any more is taken from the nodes', async () => {
    const [one, two] = [sampleDomainName(), sampleDomainName({ name: 'b.example.com' })];
    for (const domain of [one, two]) await transact(add(domain));
    const remove = (domain: DomainName) => async (tx: TenantRepositories) => {
      await tx.domainNames.remove(domain.name);
      await unpublishDomainName(tx, domain.name);
      await publishCertificate(tx, 'one');
    };
    expect(names(await told('default', remove(one)))).toEqual(['DOMAIN_NAME api.example.com']);
    const last = await told('default', remove(two));
    expect(names(last)).toEqual(['CERTIFICATE 111111111111:one', 'DOMAIN_NAME b.example.com']);
    expect(last.every(({ content }) => content === null)).toBe(true);
    expect(await store.manifest.all(KINDS)).toEqual([]);
  });

  test('a certificate that is in nobody’s use is not published', async () => {
    await transact((tx) => publishCertificate(tx, 'one'));
    expect(await store.manifest.all(KINDS)).toEqual([]);
  });
});

describe('placement', () => {
  test('nodes of another pool get neither the domain name nor its key', async () => {
    const domain = sampleDomainName({ tags: { [POOL_TAG]: 'eu' } });
    await transact(add(domain));
    const entries = await store.manifest.all(KINDS);
    expect(entries.map((entry) => entryForPool(entry, 'default'))).toEqual([null, null]);
    expect(entries.map((entry) => entryForPool(entry, 'eu'))).toEqual(entries);
  });

  test('a certificate goes where any of its domain names is', async () => {
    await transact(add(sampleDomainName({ tags: { [POOL_TAG]: 'eu' } })));
    await transact(add(sampleDomainName({ name: 'b.example.com', tags: { [POOL_TAG]: 'us' } })));
    const certificate = (await store.manifest.all(['CERTIFICATE']))[0]!;
    expect(certificate.content!.pools).toEqual(['eu', 'us']);
  });

  test('a domain name that moves is forgotten where it was, with its key', async () => {
    const domain = sampleDomainName();
    await transact(add(domain));
    const move = (tags: DomainName['tags'], tenantPool: string | null) => async (tx: TenantRepositories) => {
      await tx.placement.lock();
      await tx.placement.write(tenantPool);
      await tx.domainNames.replace({ ...domain, tags });
      await placeTenant(tx);
    };
    const gone = await told('default', move({ [POOL_TAG]: 'eu' }, null));
    expect(gone.map(({ content }) => content)).toEqual([null, null]);
    expect(await told('us', move({}, 'us'))).toHaveLength(2);
    expect((await store.manifest.all(KINDS)).map(({ content }) => content!.pools)).toEqual([['us'], ['us']]);
  });
});
