// What `npm start` keeps between starts: secrets (made once), the process list, the env file. All readable by the owner only.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { randomIds } from '@gatehouse/kernel';

export class State {
  constructor(home) {
    this.home = home;
    mkdirSync(path.join(home, 'logs'), { recursive: true });
  }

  folder(name) {
    const folder = path.join(this.home, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Secrets of this installation and credentials of its first tenant; made at the first start. */
  secrets() {
    const file = path.join(this.home, 'secrets.json');
    if (existsSync(file)) {
      const kept = JSON.parse(readFileSync(file, 'utf8'));
      if (kept.operatorToken !== undefined) return kept;
      const secrets = { ...kept, operatorToken: randomBytes(32).toString('hex') }; // made by a version that had none
      this.write('secrets.json', JSON.stringify(secrets, null, 2));
      return secrets;
    }
    const secrets = {
      operatorToken: randomBytes(32).toString('hex'),
      nodeToken: randomBytes(32).toString('hex'),
      masterKey: randomBytes(32).toString('hex'),
      postgresPassword: randomBytes(24).toString('hex'),
      tenant: {
        accountId: randomIds.digits(12),
        accessKeyId: `AKIA${randomIds.id(16).toUpperCase()}`,
        secretAccessKey: randomIds.secret(40),
      },
    };
    this.write('secrets.json', JSON.stringify(secrets, null, 2));
    return secrets;
  }

  /** Atomic: a start that is cut short leaves the old file or the new one. */
  write(name, text) {
    const file = path.join(this.home, name);
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }

  /** False when the file is there already. */
  create(name, text) {
    try {
      writeFileSync(path.join(this.home, name), text, { mode: 0o600, flag: 'wx' });
      return true;
    } catch (error) {
      if (error.code === 'EEXIST') return false;
      throw error;
    }
  }

  read(name) {
    const file = path.join(this.home, name);
    return existsSync(file) ? readFileSync(file, 'utf8') : null;
  }

  remove(name) {
    rmSync(path.join(this.home, name), { force: true });
  }
}

/** Whether `pid` is alive and its command line holds `mark`: a reused process id is not ours. */
export function isOurs(pid, mark) {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const commandLine = `/proc/${pid}/cmdline`;
  return !existsSync(commandLine) || readFileSync(commandLine, 'utf8').includes(mark);
}
