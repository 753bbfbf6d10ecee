/** For specs: certificates of upstreams and of callers of theirs, made by openssl when a test needs them: nothing in the repository expires. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

export interface Certificates {
  /** To be trusted by the client. */
  readonly authority: string;
  /** For 127.0.0.1, by that authority. */
  readonly good: Certificate;
  readonly expired: Certificate;
  readonly notYetValid: Certificate;
  readonly wrongName: Certificate;
  /** For 127.0.0.1, by an authority nobody trusts. */
  readonly unknownAuthority: Certificate;
  readonly selfSigned: Certificate;
  /** Of a client. */
  readonly client: Certificate;
}

const CONFIG = `
[ca]
default_ca = ours
[ours]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
email_in_dn = no
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
`;

export function makeCertificates(): Certificates {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-certificates-'));
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
  const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const authority = (name: string): void =>
    openssl('req', '-x509', ...EC, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', '30', '-subj', `/CN=${name}`);
  const leaf = (name: string, by: string, san: string, from: string, to: string): Certificate => {
    openssl(
      'req',
      ...EC,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=${san}`,
    );
    openssl(
      ...['ca', '-batch', '-notext', '-config', 'ca.cnf', '-cert', `${by}.crt`, '-keyfile', `${by}.key`],
      ...['-in', `${name}.csr`, '-out', `${name}.crt`, '-startdate', from, '-enddate', to],
    );
    return { key: read(`${name}.key`), cert: read(`${name}.crt`) };
  };
  try {
    writeFileSync(path.join(folder, 'ca.cnf'), CONFIG);
    writeFileSync(path.join(folder, 'index.txt'), '');
    writeFileSync(path.join(folder, 'serial'), '01\n');
    authority('trusted');
    authority('unknown');
    authority('self-signed');
    const [past, then, soon, later] = ['20200101000000Z', '20200201000000Z', '20900101000000Z', '20910101000000Z'] as const;
    return {
      authority: read('trusted.crt'),
      good: leaf('good', 'trusted', 'IP:127.0.0.1', past, soon),
      expired: leaf('expired', 'trusted', 'IP:127.0.0.1', past, then),
      notYetValid: leaf('not-yet', 'trusted', 'IP:127.0.0.1', soon, later),
      wrongName: leaf('other', 'trusted', 'DNS:other.example', past, soon),
      unknownAuthority: leaf('foreign', 'unknown', 'IP:127.0.0.1', past, soon),
      selfSigned: { key: read('self-signed.key'), cert: read('self-signed.crt') },
      client: leaf('client', 'trusted', 'DNS:client.example', past, soon),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Signed by itself, for these host names. */
export function makeServerCertificate(hostNames: readonly string[], { days = 30, rsaBits = 0 } = {}): Certificate {
  const folder = mkdtempSync(path.join(tmpdir(), 'gatehouse-certificate-'));
  const kind = rsaBits > 0 ? [`rsa:${rsaBits}`] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const names = hostNames.map((name) => `DNS:${name}`).join(',');
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', ...kind, '-nodes', '-days', String(days), '-subj', '/CN=test'],
        ...(names === '' ? [] : ['-addext', `subjectAltName=${names}`]),
        ...['-keyout', 'key', '-out', 'crt'],
      ],
      { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    return { key: readFileSync(path.join(folder, 'key'), 'utf8'), cert: readFileSync(path.join(folder, 'crt'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
