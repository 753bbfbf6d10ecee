import type { CertificateEntry, DomainNameEntry } from '@gatehouse/contracts';
import { canonicalJson } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { LinkedDomainName } from './domain-names.js';
import { WorldKeeper, type WorldEntry } from './world-keeper.js';

const mappingsOf = (...basePaths: readonly string[]) =>
  basePaths.map((basePath) => ({ basePath, apiId: basePath || '(none)', stage: 'dev' }));
const domain = (over: Partial<DomainNameEntry> = {}): DomainNameEntry => ({
  domainName: 'api.example.com',
  tenant: '111111111111',
  certificateId: 'one',
  securityPolicy: 'TLS_1_2',
  mappings: [],
  ...over,
});
const certificate = (over: Partial<CertificateEntry> = {}): CertificateEntry => ({
  certificateId: 'one',
  tenant: '111111111111',
  chainPem: 'chain',
  privateKeyPem: 'key',
  hostNames: ['*.example.com'],
  expiresAtMs: 1,
  ...over,
});
const domainEntry = (content: DomainNameEntry, over: Partial<WorldEntry> = {}): WorldEntry => ({
  kind: 'DOMAIN_NAME',
  id: content.domainName,
  tenant: content.tenant,
  digest: null,
  inline: canonicalJson(content),
  ...over,
});
const certificateEntry = (content: CertificateEntry, over: Partial<WorldEntry> = {}): WorldEntry => ({
  kind: 'CERTIFICATE',
  id: `${content.tenant}:${content.certificateId}`,
  tenant: content.tenant,
  digest: null,
  inline: canonicalJson(content),
  ...over,
});

// The example of the API Gateway guide (data-plane reference 2.4), and what lies at its edges.
for (const [basePaths, path, basePath, rest] of [
  [
    ['', 'orders/v1/items', 'orders/v2/items', 'orders/v2/items/categories'],
    '/orders/v2/items/categories/5',
    'orders/v2/items/categories',
    '/5',
  ],
  [['', 'orders/v1/items', 'orders/v2/items'], '/orders/v1/items/123', 'orders/v1/items', '/123'],
  [['', 'orders/v1/items'], '/customers', '', '/customers'],
  [['', 'orders/v1/items'], '/orders/v1', '', '/orders/v1'],
  [['', 'orders/v1/items'], '/orders', '', '/orders'],
  [['', 'a', 'a/b/c'], '/a/b/x', 'a', '/b/x'],
  [['v1'], '/v1', 'v1', ''],
  [['v1'], '/v1/', 'v1', '/'],
  [['v1'], '//v1//x', 'v1', '//x'],
  [['v1', ''], '/v12', '', '/v12'],
  [['v1', ''], '/V1/x', '', '/V1/x'],
  [['v1', ''], '//x', '', '//x'],
  [[''], '/', '', '/'],
  [['a/b'], '/a//b', null, null],
  [['v1'], '/', null, null],
  [['v1'], '/v2', null, null],
  [[], '/x', null, null],
] as const) {
  test(`with base paths ${JSON.stringify(basePaths)}, ${path} leads to ${basePath}`, () => {
    const found = new LinkedDomainName(domain({ mappings: mappingsOf(...basePaths) })).match(path);
    expect(found && [found.basePath, found.rest]).toEqual(basePath === null ? null : [basePath, rest]);
  });
}

function keeper(onDomainNames: () => void = () => undefined): WorldKeeper {
  return new WorldKeeper({ bindings: {} as never, onDomainNames });
}
const none = (): null => null;

test('a host is found by its name before the wildcard one label above, and by no other', async () => {
  const node = keeper();
  expect(node.current.domainName('api.example.com')).toBeNull();
  const entries = [domain(), domain({ domainName: '*.example.com' })].map((content) => domainEntry(content));
  await node.adopt({ revision: 1, entries, removed: [] }, none);
  const nameOf = (host: string) => node.current.domainName(host)?.settings.domainName;
  expect(['api.example.com', 'x.example.com', 'a.x.example.com', 'example.com', 'localhost'].map(nameOf)).toEqual([
    'api.example.com',
    '*.example.com',
    undefined,
    undefined,
    undefined,
  ]);
});

test('the certificate of a domain name is its own tenant’s, and the same object until it changes', async () => {
  const node = keeper();
  const others = certificate({ tenant: '222222222222', chainPem: 'theirs' });
  await node.adopt({ revision: 1, entries: [domainEntry(domain()), certificateEntry(others)], removed: [] }, none);
  const shown = () => node.current.certificateOf(node.current.domainName('api.example.com')!);
  expect(shown()).toBeNull();
  await node.adopt({ revision: 2, entries: [certificateEntry(certificate())], removed: [] }, none);
  const first = shown();
  expect([first!.chainPem, first!.keyPem.reveal(), String(first!.keyPem)]).toEqual(['chain', 'key', '[redacted]']);
  await node.adopt({ revision: 3, entries: [domainEntry(domain({ mappings: mappingsOf('v1') }))], removed: [] }, none);
  expect(shown()).toBe(first);
  await node.adopt({ revision: 4, entries: [certificateEntry(certificate({ chainPem: 'renewed' }))], removed: [] }, none);
  expect(shown()!.chainPem).toBe('renewed');
});

test('whoever serves TLS is told of changes of domain names and certificates, after they are in force', async () => {
  const seen: (string | undefined)[] = [];
  const node = keeper(() => seen.push(node.current.domainName('api.example.com')?.settings.certificateId));
  await node.adopt({ revision: 1, entries: [domainEntry(domain())], removed: [] }, none);
  await node.adopt({ revision: 2, entries: [], removed: [{ kind: 'STAGE', id: 'a/b' }] }, none);
  await node.adopt({ revision: 3, entries: [], removed: [{ kind: 'DOMAIN_NAME', id: 'api.example.com' }] }, none);
  expect(seen).toEqual(['one', undefined]);
});

test('content that belongs to something else is refused without a word of the key', async () => {
  const node = keeper();
  const bad = [
    domainEntry(domain(), { id: 'other.example.com' }),
    certificateEntry(certificate(), { tenant: '222222222222' }),
    certificateEntry(certificate({ privateKeyPem: 5 as never })),
    certificateEntry(certificate(), { inline: 'secret key' }),
  ];
  const refusals = await node.adopt({ revision: 1, entries: bad, removed: [] }, none);
  expect(refusals.map(({ kind, id }) => `${kind} ${id}`)).toEqual([
    'DOMAIN_NAME other.example.com',
    'CERTIFICATE 111111111111:one',
    'CERTIFICATE 111111111111:one',
    'CERTIFICATE 111111111111:one',
  ]);
  expect(JSON.stringify(refusals)).not.toMatch(/key"|:5|secret/);
});
