/** What a function can reach that is not its own, tried by real functions. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ACCOUNT, RunnerHarness } from './testing/harness.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const NEIGHBOUR = '444455556666';
const SECRET = 'the-neighbours-secret';

const runner = await RunnerHarness.start();
afterAll(() => runner.close());
const { confinement } = (await (await fetch(`${runner.url}/healthz`)).json()) as { confinement: string };
const isRoot = process.getuid?.() === 0;

interface Victim {
  readonly calls: number;
  readonly taskRoot: string;
  readonly scratch: string;
}
const callVictim = async (): Promise<Victim> =>
  (await runner.invoke(`arn:aws:lambda:us-east-1:${NEIGHBOUR}:function:victim`)).json as Victim;

/** The pids, as the whole machine sees them, of the processes that have the victim's variables, their wrappers included. */
const pidsOfVictim = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && environOf(name).includes(SECRET))
    .map(Number);
function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return '';
  }
}

test('what the runner keeps is closed to other users', async () => {
  await runner.publish('any', { files: { 'index.js': 'exports.handler = async () => console.log(1)' } });
  await runner.invoke('any');
  expect((await stat(runner.dataDir)).mode & 0o777).toBe(0o700);
  const log = path.join(runner.dataDir, 'function-logs', ACCOUNT, 'any.log');
  await expect
    .poll(() =>
      stat(log).then(
        ({ mode }) => mode & 0o777,
        () => 0,
      ),
    )
    .toBe(0o600);
});

describe.runIf(confinement !== 'none')('python', () => {
  const HELPERS = `import os
def tried(what):
  try:
    return what()
  except OSError as error:
    return type(error).__name__
`;
  /** The value of `expression`, computed by a function of ACCOUNT. */
  async function seen(expression: string, event: unknown = {}, name = 'attacker'): Promise<unknown> {
    const code = `${HELPERS}def handler(event, context):\n  return ${expression}\n`;
    await runner.publish(name, { runtime: 'python3.12', handler: 'app.handler', files: { 'app.py': code } });
    return (await runner.invoke(name, event)).json;
  }

  let victim: Victim;
  beforeAll(async () => {
    const code = `import os
calls = 0
open('/tmp/note', 'w').write('mine')
def handler(event, context):
  global calls
  calls += 1
  return {'calls': calls, 'taskRoot': os.environ['LAMBDA_TASK_ROOT'], 'scratch': os.environ['TMPDIR']}`;
    await runner.publish('victim', {
      tenant: NEIGHBOUR,
      runtime: 'python3.12',
      handler: 'app.handler',
      files: { 'app.py': code },
      environment: { PRIVATE: SECRET },
    });
    victim = await callVictim();
    await writeFile(path.join(runner.home, 'secrets.json'), '{"masterKey":"..."}', { mode: 0o600 });
  });

  test("an installation's secrets are out of reach", async () => {
    const file = path.join(runner.home, 'secrets.json');
    expect(await seen("tried(lambda: open(event['file']).read())", { file })).toMatch(/^(?:FileNotFound|Permission)Error$/);
  });

  test.runIf(isRoot)("a file of mode 0600 of the runner's user is out of reach, wherever it lies", async () => {
    const folder = await mkdtemp(path.join(PROJECT, '.confinement-'));
    try {
      const file = path.join(folder, 'key');
      await writeFile(file, 'key', { mode: 0o600 });
      expect(await seen("tried(lambda: open(event['file']).read())", { file })).toMatch(/^(?:FileNotFound|Permission)Error$/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a neighbour's package and scratch folder are out of reach, its own are there", async () => {
    const expression =
      "[tried(lambda: os.listdir(event['taskRoot'])), tried(lambda: os.listdir(event['scratch'])), os.listdir(os.environ['LAMBDA_TASK_ROOT']), sorted(os.listdir(os.path.dirname(os.environ['LAMBDA_TASK_ROOT']))) == [os.path.basename(os.environ['LAMBDA_TASK_ROOT'])]]";
    expect(await seen(expression, victim)).toEqual(['FileNotFoundError', 'FileNotFoundError', ['app.py'], true]);
  });

  test('/tmp is its own', async () => {
    expect(await seen("[os.path.exists('/tmp/note'), os.path.samefile('/tmp', os.environ['TMPDIR'])]")).toEqual([false, true]);
  });

  test('its package cannot be written', async () => {
    expect(await seen("tried(lambda: open(os.environ['LAMBDA_TASK_ROOT'] + '/app.py', 'w'))")).toBe('OSError');
  });

  test("a neighbour's environment variables are out of reach", async () => {
    const pids = pidsOfVictim();
    expect(pids.length).toBeGreaterThan(0);
    const expression =
      "[tried(lambda: open(f'/proc/{pid}/environ').read()) for pid in event['pids'] + os.listdir('/proc') if str(pid).isdigit()]";
    const environs = (await seen(expression, { pids })) as string[];
    expect(environs.length).toBeGreaterThan(pids.length); // its own can be read
    expect(environs.filter((text) => text.includes(SECRET) || text.includes('VITEST'))).toEqual([]);
  });

  // Signal 0 asks only whether a signal could be sent. A real one would hit this machine on the day the confinement breaks.
  test('neither a neighbour nor the runner can be signalled', async () => {
    const pids = [...pidsOfVictim(), process.pid];
    const answers = await seen("[tried(lambda: os.kill(pid, 0)) for pid in event['pids']]", { pids });
    expect(answers).toEqual(pids.map(() => expect.stringMatching(/^(?:ProcessLookup|Permission)Error$/)));
  });

  test('it has no capability and cannot gain one', async () => {
    const status = (await seen("open('/proc/self/status').read()")) as string;
    for (const line of ['CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) expect(status).toContain(`${line}:\t0000000000000000\n`);
    expect(status).toContain('NoNewPrivs:\t1\n');
  });

  test.runIf(confinement === 'own-user')('each environment has a user id of its own and no groups', async () => {
    const ids = '[os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]';
    const [first, second] = [await seen(ids, {}, 'first'), await seen(ids, {}, 'second')] as [[number], [number]];
    for (const [id] of [first, second]) {
      expect([first, second]).toContainEqual([id, id, id, expect.toSatisfy((groups: number[]) => groups.every((g) => g === id))]);
      expect(id).toBeGreaterThanOrEqual(210_000);
    }
    expect(first[0]).not.toBe(second[0]);
  });

  test('variables speak to the function alone, not to what starts it', async () => {
    const environment = { PATH: '/nowhere', V0: 'x', ENV: '/nowhere', LD_PRELOAD: '', TEXT: `a 'b' "c" $(d)\n\\e` };
    const code = `import os\ndef handler(event, context):\n  return dict(os.environ)`;
    await runner.publish('variables', { runtime: 'python3.12', handler: 'app.handler', environment, files: { 'app.py': code } });
    const { PATH, ...rest } = (await runner.invoke('variables')).json as Record<string, string>;
    expect(PATH).toBe('/usr/local/bin:/usr/bin:/bin');
    expect(rest).toMatchObject({ V0: 'x', ENV: '/nowhere', TEXT: environment.TEXT });
    expect(rest['V1']).toBeUndefined();
  });
});

describe('nodejs', () => {
  test('variables of the runner and of other environments are out of reach', async () => {
    await runner.publish('node-victim', {
      tenant: NEIGHBOUR,
      environment: { PRIVATE: SECRET },
      files: { 'index.js': 'exports.handler = async () => process.pid' },
    });
    const pid = (await runner.invoke(`arn:aws:lambda:us-east-1:${NEIGHBOUR}:function:node-victim`)).json;
    const code = `const fs = require('fs');
      const ways = [
        (file) => fs.readFileSync(file, 'latin1'),
        (file) => fs.readFileSync(Buffer.from(file), 'latin1'),
        (file) => fs.readFileSync(new URL('file://' + file), 'latin1'),
        (file) => fs.promises.readFile(file, 'latin1'),
        (file) => fs.openAsBlob(file).then((blob) => blob.text()),
        (file) => { const copy = require('path').join(process.env.TMPDIR, 'copy'); fs.copyFileSync(file, copy); return fs.readFileSync(copy, 'latin1'); },
        (file) => { const link = require('path').join(process.env.TMPDIR, 'link'); fs.symlinkSync(file, link); return fs.readFileSync(link, 'latin1'); },
        (file) => { const link = require('path').join(process.env.TMPDIR, 'hard'); fs.linkSync(file, link); return fs.readFileSync(link, 'latin1'); },
        (file) => fs.readFileSync(process.env.TMPDIR + '/../../../../../../../../..' + file, 'latin1'),
        (file) => require(file),
        (file) => import('file://' + file),
        (file) => { process.loadEnvFile(file); return JSON.stringify(process.env); },
        (file) => JSON.stringify(fs.readdirSync(require('path').dirname(file))),
      ];
      exports.handler = async ({ files }) => {
        const read = [];
        for (const file of files) for (const way of ways) read.push(await new Promise((r) => r(way(file))).then((v) => require('util').inspect(v), (e) => e.code));
        return read;
      };`;
    await runner.publish('node-attacker', { files: { 'index.js': code } });
    const files = [pid, process.pid, 'self', 1].map((of) => `/proc/${of}/environ`);
    const read = (await runner.invoke('node-attacker', { files })).json as string[];
    expect(read.length).toBe(4 * 13);
    expect(read.filter((result) => result !== 'ERR_ACCESS_DENIED')).toEqual([]);
  });

  test.runIf(confinement !== 'none')("node:sqlite, which asks no permission, opens nothing of the installation's", async () => {
    const { DatabaseSync } = await import('node:sqlite');
    const file = path.join(runner.home, 'state.db');
    const database = new DatabaseSync(file);
    database.exec('create table secrets (secret text)');
    database.close();
    const code = `const { DatabaseSync } = require('node:sqlite');
      const tried = (what) => { try { return what(); } catch (error) { return error.code; } };
      exports.handler = async ({ file }) => [
        tried(() => new DatabaseSync(file, { readOnly: true }).prepare('select * from secrets').all()),
        tried(() => new DatabaseSync(process.env.TMPDIR + '/own.db').exec('create table t (c)')),
        tried(() => new DatabaseSync(':memory:').exec("vacuum into '" + process.env.LAMBDA_TASK_ROOT + "/new.db'")),
      ];`;
    await runner.publish('sqlite', { files: { 'index.js': code } });
    expect((await runner.invoke('sqlite', { file })).json).toEqual(['ERR_SQLITE_ERROR', null, 'ERR_SQLITE_ERROR']);
  });
});
