// For specs: certificates made by the openssl command, signed by themselves.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface MadeCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
}

export function makeCertificate(hostNames: readonly string[], { days = 30, rsaBits = 0 } = {}): MadeCertificate {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-tls-'));
  try {
    const [crt, key] = [path.join(folder, 'crt'), path.join(folder, 'key')];
    const names = hostNames.map((name) => `DNS:${name}`).join(',');
    const kind = rsaBits > 0 ? ['rsa:' + rsaBits] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    const alternatives = names === '' ? [] : ['-addext', `subjectAltName=${names}`];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        ...kind,
        '-nodes',
        '-days',
        String(days),
        '-subj',
        '/CN=test',
        ...alternatives,
        '-keyout',
        key,
        '-out',
        crt,
      ],
      { stdio: 'pipe' },
    );
    return { certificatePem: readFileSync(crt, 'utf8'), keyPem: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
