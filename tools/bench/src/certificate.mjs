// A certificate for the TLS and HTTP/2 scenarios, signed by itself. Callers do not check it; a node checks an issuer's.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Returns `folder` (default.crt and default.key, as a Gatehouse node reads them), `crt`, `key`, and `pem`, the two in one file for HAProxy;
 * null without openssl.
 */
export function makeCertificate(openssl, parent) {
  if (openssl === null) return null;
  const folder = path.join(parent, 'certificate');
  mkdirSync(folder);
  const [crt, key] = ['default.crt', 'default.key'].map((name) => path.join(folder, name));
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', ...names];
  const { status, stderr } = spawnSync(openssl, ['req', '-x509', ...kind, '-keyout', key, '-out', crt], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl could not make a certificate: ${stderr}`);
  const pem = path.join(parent, 'certificate.pem');
  writeFileSync(pem, readFileSync(crt, 'utf8') + readFileSync(key, 'utf8'));
  // A node may also be called by name, as {api}.execute-api.localhost.
  copyFileSync(crt, path.join(folder, 'localhost.crt'));
  copyFileSync(key, path.join(folder, 'localhost.key'));
  return { folder, crt, key, pem };
}
