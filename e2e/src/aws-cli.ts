import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface AwsCli {
  /** Runs one command and returns what it printed. Rejects with its error text. */
  (...args: string[]): Promise<string>;
}

/**
 * Debian's `awscli`, unpacked into a folder of ours: no root is needed and the system stays as it is. Where there is no
 * Debian the `aws` of the PATH serves.
 */
export async function awsCli(environment: Record<string, string>): Promise<AwsCli> {
  const [command, extra] = installed();
  return async (...args) => {
    const env = { ...process.env, ...extra, ...environment, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' };
    // Debian's version is older than AWS_ENDPOINT_URL.
    const all = ['--endpoint-url', environment['AWS_ENDPOINT_URL'] as string, '--output', 'json', ...args];
    const { stdout } = await run(command, all, { env, maxBuffer: 16 * 1024 * 1024 });
    return stdout;
  };
}

function installed(): [string, Record<string, string>] {
  const folder = path.join(homedir(), '.cache/gatehouse/awscli');
  if (!existsSync(folder)) {
    try {
      unpackInto(folder);
    } catch (cause) {
      rmSync(`${folder}.new`, { recursive: true, force: true });
      execFileSync('aws', ['--version'], { stdio: 'ignore' }); // throws when there is none
      console.warn(
        `Debian's awscli could not be fetched (${(cause as Error).message.split('\n')[0]}); using the aws of the PATH`,
      );
      return ['aws', {}];
    }
  }
  return [path.join(folder, 'usr/bin/aws'), { PYTHONPATH: path.join(folder, 'usr/lib/python3/dist-packages') }];
}

function unpackInto(folder: string): void {
  const work = `${folder}.new`;
  const packages = path.join(work, 'packages');
  for (const name of ['state/lists/partial', 'cache/archives/partial', 'packages', 'root']) {
    mkdirSync(path.join(work, name), { recursive: true });
  }
  const apt = (...args: string[]): string =>
    execFileSync(
      'apt-get',
      [
        ...['-o', `Dir::State=${work}/state`, '-o', 'Dir::State::status=/var/lib/dpkg/status', '-o', `Dir::Cache=${work}/cache`],
        ...['-o', 'APT::Sandbox::User=', '-qq', ...args],
      ],
      { cwd: packages, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    );
  apt('update');
  const files = apt('install', '--no-install-recommends', '--print-uris', '-y', 'awscli')
    .split('\n')
    .map((line) => /^'[^']+' (\S+?)_/.exec(line)?.[1])
    .filter((name) => name !== undefined);
  apt('download', ...files);
  for (const file of readdirSync(packages)) execFileSync('dpkg', ['-x', path.join(packages, file), path.join(work, 'root')]);
  mkdirSync(path.dirname(folder), { recursive: true });
  renameSync(path.join(work, 'root'), folder);
  rmSync(work, { recursive: true, force: true });
}
