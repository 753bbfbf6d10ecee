import { makeCertificates } from '@gatehouse/testkit';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { UpstreamTlsSettings, type UpstreamTlsFiles } from './upstream-tls.js';

const made = makeCertificates();
const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-upstream-tls-'));
const logged: string[] = [];
const log = {
  info: (_: object, text: string) => void logged.push(text),
  error: (_: object, text: string) => void logged.push(text),
};
const open: UpstreamTlsSettings[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});
afterAll(() => rmSync(folder, { recursive: true }));

function put(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
  return file;
}

function settings(files: Partial<UpstreamTlsFiles>, lookEveryMs = 10): UpstreamTlsSettings {
  const none = { upstreamCa: '', upstreamCert: '', upstreamKey: '', upstreamCertHosts: [] };
  const made = new UpstreamTlsSettings({ ...none, ...files }, log as never, lookEveryMs);
  open.push(made);
  return made;
}

test('without files there is nothing, and the answers are the same objects', () => {
  const one = settings({});
  expect(one.clientCertificate('t', 'a.example')).toBeNull();
  expect(one.trustedCaPem()).toEqual([]);
  expect(one.trustedCaPem()).toBe(one.trustedCaPem());
});

test('renewed files are used without a restart; files of no use leave those before', async () => {
  const upstreamCa = put('ca.pem', made.authority);
  const upstreamCert = put('c.crt', made.client.cert);
  const upstreamKey = put('c.key', made.client.key);
  const one = settings({ upstreamCa, upstreamCert, upstreamKey });
  const before = one.trustedCaPem();
  const certificate = one.clientCertificate('t', 'a.example');
  expect(one.clientCertificate('u', 'b.example')).toBe(certificate);
  expect(before.length).toBe(1);
  put('ca.pem', 'half a cert');
  await expect.poll(() => logged.at(-1)).toMatch(/cannot be used: those before stay$/);
  expect([one.trustedCaPem(), one.clientCertificate('t', 'a.example')]).toEqual([before, certificate]);
  put('ca.pem', `first\n${made.authority}\nsecond\n${made.selfSigned.cert}`);
  await expect.poll(() => one.trustedCaPem().length).toBe(2);
});

test('a certificate for some hosts is shown to those and to nobody else', () => {
  const files = { upstreamCert: put('d.crt', made.client.cert), upstreamKey: put('d.key', made.client.key) };
  const one = settings({ ...files, upstreamCertHosts: ['partner.example', '*.bank.example'] });
  const isShown = (host: string): boolean => one.clientCertificate('t', host) !== null;
  expect(['partner.example', 'PARTNER.example', 'a.bank.example', 'a.b.bank.example'].map(isShown)).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect(['bank.example', 'evilbank.example', 'a.partner.example', 'x'].map(isShown)).toEqual([false, false, false, false]);
});

test('what cannot be used is named, and a key is never quoted', () => {
  const upstreamCert = put('e.crt', made.client.cert);
  expect(() => settings({ upstreamCert })).toThrow('belong together');
  expect(() => settings({ upstreamCert, upstreamKey: put('e.key', made.good.key) })).toThrow(
    'GATEHOUSE_UPSTREAM_KEY: not the key of GATEHOUSE_UPSTREAM_CERT',
  );
  expect(() => settings({ upstreamCert, upstreamKey: put('f.key', 'SECRET') })).toThrow(/^(?!.*SECRET).*no private key in PEM/);
  expect(() => settings({ upstreamCa: path.join(folder, 'absent') })).toThrow('GATEHOUSE_UPSTREAM_CA: ENOENT');
  expect(() => settings({ upstreamCa: put('g.pem', 'nothing') })).toThrow('GATEHOUSE_UPSTREAM_CA: no certificate in PEM');
});
