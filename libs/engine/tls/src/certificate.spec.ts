import { Secret } from '@gatehouse/kernel';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { readCertificate } from './index.js';
import { makeCertificate } from './testing/make-certificate.js';

const made = makeCertificate(['A.example', '*.b.example', 'c.example']);
const other = makeCertificate(['other.example']);
const NOW_MS = Date.now();
const text = (chainPem: string, keyPem: string, isDefault = false) => ({
  label: 'pair',
  chainPem,
  keyPem: new Secret(keyPem),
  isDefault,
});

test('names are those of the SANs, in lower case', () => {
  const read = readCertificate(text(made.certificatePem, made.keyPem), NOW_MS);
  expect(read).toMatchObject({ label: 'pair', hostNames: ['a.example', '*.b.example', 'c.example'] });
  expect((read as { expiresAtMs: number }).expiresAtMs).toBeGreaterThan(NOW_MS + 29 * 86_400_000);
});

for (const [what, chainPem, keyPem, nowMs, fault] of [
  ['the key of another', made.certificatePem, other.keyPem, NOW_MS, 'KEY_MISMATCH'],
  ['no certificate', 'hello', made.keyPem, NOW_MS, 'UNREADABLE'],
  ['half a certificate', made.certificatePem.replace(/\n[^-].*\n/, '\n'), made.keyPem, NOW_MS, 'UNREADABLE'],
  [
    'a broken certificate in its chain',
    made.certificatePem + made.certificatePem.replace(/\n[^-].*\n/, '\n'),
    made.keyPem,
    NOW_MS,
    'UNREADABLE',
  ],
  ['no key', made.certificatePem, '', NOW_MS, 'UNREADABLE'],
  ['a certificate for a key', made.certificatePem, made.certificatePem, NOW_MS, 'UNREADABLE'],
  ['its time over', made.certificatePem, made.keyPem, NOW_MS + 31 * 86_400_000, 'EXPIRED'],
] as const) {
  test(`a pair with ${what} is told by its name, and no key is in the message`, () => {
    const read = readCertificate(text(chainPem, keyPem), nowMs);
    expect(read).toMatchObject({ label: 'pair', fault });
    expect((read as { message: string }).message).toMatch(/^pair: /);
    expect(inspect(read)).not.toContain('PRIVATE KEY');
  });
}

test('a key that OpenSSL will not serve is found before it takes the place of a good one', () => {
  const weak = makeCertificate(['weak.example'], { rsaBits: 1_024 });
  expect(readCertificate(text(weak.certificatePem, weak.keyPem), NOW_MS)).toMatchObject({ fault: 'UNUSABLE' });
});

test('only the default needs no host name', () => {
  const nameless = makeCertificate([]);
  expect(readCertificate(text(nameless.certificatePem, nameless.keyPem), NOW_MS)).toMatchObject({ fault: 'NO_HOST_NAME' });
  expect(readCertificate(text(nameless.certificatePem, nameless.keyPem, true), NOW_MS)).toMatchObject({ hostNames: [] });
});

test('a certificate that is printed does not show its key', () => {
  const read = readCertificate(text(made.certificatePem, made.keyPem), NOW_MS);
  expect(inspect(read) + JSON.stringify(read)).not.toContain('PRIVATE KEY');
});
