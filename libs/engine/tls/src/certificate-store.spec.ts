import { ManualClock, Secret } from '@gatehouse/kernel';
import { expect, test } from 'vitest';
import { CertificateStore, GivenCertificates, readCertificate, type Certificate } from './index.js';
import { makeCertificate } from './testing/make-certificate.js';

const made = makeCertificate(['any.example']);
const clock = new ManualClock(Date.now());
const DAY_MS = 86_400_000;

const read = readCertificate(
  { label: 'x', chainPem: made.certificatePem, keyPem: new Secret(made.keyPem), isDefault: false },
  clock.nowMs(),
) as Certificate;
const named = (label: string, hostNames: readonly string[], days = 90): Certificate => ({
  ...read,
  label,
  hostNames,
  expiresAtMs: clock.nowMs() + days * DAY_MS,
});

const api = named('api', ['api.shop.example']);
const wildcard = named('wildcard', ['*.shop.example', 'shop.example']);
const fallback = named('default', []);

for (const [name, expected] of [
  ['api.shop.example', 'api'],
  ['API.Shop.Example.', 'api'],
  ['www.shop.example', 'wildcard'],
  ['shop.example', 'wildcard'],
  ['a.b.shop.example', 'default'],
  ['*.shop.example', 'wildcard'],
  ['shop.example.evil', 'default'],
  ['evilshop.example', 'default'],
  ['', 'default'],
  ['.shop.example', 'wildcard'],
  ['__proto__', 'default'],
] as const) {
  test(`${JSON.stringify(name)} gets the certificate ${expected}: exact, one level of wildcard, default`, () => {
    const store = new CertificateStore({ sources: [new GivenCertificates([wildcard, api], fallback)], clock });
    expect(store.certificateFor(name)?.label).toBe(expected);
  });
}

test('unknown names are refused when the operator says so, known ones are not', () => {
  const store = new CertificateStore({ sources: [new GivenCertificates([api], fallback)], clock, unknownNames: 'refuse' });
  expect([store.certificateFor('api.shop.example')?.label, store.certificateFor('x.example'), store.contextFor(null)]).toEqual([
    'api',
    null,
    null,
  ]);
});

test('an exact name of the second source beats a wildcard of the first', () => {
  const store = new CertificateStore({ sources: [new GivenCertificates([wildcard]), new GivenCertificates([api])], clock });
  expect(store.certificateFor('api.shop.example')?.label).toBe('api');
});

test('of two certificates for one name, the one that is valid longer is used', () => {
  const [old, renewed] = [named('old', ['a.example'], 5), named('renewed', ['a.example'], 60)];
  for (const order of [
    [old, renewed],
    [renewed, old],
  ]) {
    const store = new CertificateStore({ sources: [new GivenCertificates(order)], clock });
    expect(store.certificateFor('a.example')?.label).toBe('renewed');
  }
});

test('ten thousand names: contexts are made on demand, kept by last use, and bounded', () => {
  const certificates = Array.from({ length: 10_000 }, (_, i) => named(`c${i}`, [`host-${i}.example`]));
  const store = new CertificateStore({ sources: [new GivenCertificates(certificates)], clock, contextsMax: 50 });
  expect(store.contextCount).toBe(0);
  const first = store.contextFor('host-0.example');
  for (let i = 1; i < 200; i++) {
    expect(store.contextFor(`host-${i * 50}.example`)).not.toBe(null);
    expect(store.contextFor('host-0.example'), 'what is in use stays').toBe(first);
  }
  expect(store.contextCount).toBe(50);
});

test('a replaced certificate gets a context of its own, and the old one is let go', () => {
  const source = new GivenCertificates([api]);
  const store = new CertificateStore({ sources: [source], clock });
  const before = store.contextFor('api.shop.example');
  expect(store.contextFor('api.shop.example')).toBe(before);
  source.replace([named('renewed', ['api.shop.example'])]);
  expect(store.contextFor('api.shop.example')).not.toBe(before);
  expect(store.contextCount).toBe(1);
});

test('what expires soon is told, soonest first, and what has expired too', () => {
  const certificates = [named('in 20', ['b.example'], 20), named('in 5', ['a.example'], 5), named('in 60', ['c.example'], 60)];
  const store = new CertificateStore({
    sources: [new GivenCertificates([...certificates, named('gone', ['d.example'], -1)])],
    clock,
  });
  expect(store.expiringWithin(30).map(({ label }) => label)).toEqual(['gone', 'in 5', 'in 20']);
  expect(store.expiringWithin(0).map(({ label }) => label)).toEqual(['gone']);
});

test('a certificate that turns out to be unusable is told, and its caller refused', () => {
  const unusable: string[] = [];
  const broken = { ...api, chainPem: 'nothing' };
  const store = new CertificateStore({
    sources: [new GivenCertificates([broken])],
    clock,
    onUnusable: ({ label }) => void unusable.push(label),
  });
  expect([store.contextFor('api.shop.example'), unusable]).toEqual([null, ['api']]);
});
