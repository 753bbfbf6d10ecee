import { SealSigner } from '@gatehouse/control-nodes';
import { InMemoryStore } from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { startControlPlane, testFolder, TOKEN } from './harness.js';
import { publishStage, startProcess } from './node-process.js';

// Nodes as processes of their own, as they are built: `npm run build` comes before these.
let scope: Awaited<ReturnType<typeof testFolder>>;
beforeEach(async () => {
  scope = await testFolder();
});
afterEach(() => scope.close());

const signer = new SealSigner(new Secret('5a'.repeat(32)));
const snapshotKey = Buffer.from(signer.publicKey).toString('hex');
const eventually = (assertion: () => Promise<void>) => vi.waitFor(assertion, { timeout: 20_000, interval: 20 });
const status = async (port: number, path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).status;

test('a node process with an empty disk and no control plane becomes ready from its sibling, and not with another key', async () => {
  const store = new InMemoryStore();
  const control = await startControlPlane(store, { signer });
  await publishStage(store, 'hello');
  const first = await startProcess(scope, control.port, { name: 'first' });
  await eventually(async () => expect(await status(first.adminPort, '/readyz')).toBe(200));
  const headers = { authorization: `Bearer ${TOKEN.reveal()}` };
  const snapshot = `http://127.0.0.1:${first.adminPort}/snapshot`;
  await eventually(async () =>
    expect((await fetch(snapshot, { headers })).status, 'it has what a control plane signed').toBe(200),
  );
  await control.stop();

  const siblings = { GATEHOUSE_SIBLINGS: `http://127.0.0.1:${first.adminPort}` };
  const env = { ...siblings, GATEHOUSE_SNAPSHOT_KEY: snapshotKey };
  const [second, distrustful] = await Promise.all([
    startProcess(scope, control.port, { name: 'second', env }),
    startProcess(scope, control.port, { name: 'third', env: { ...env, GATEHOUSE_SNAPSHOT_KEY: 'ab'.repeat(32) } }),
  ]);
  expect(await status(second.adminPort, '/readyz')).toBe(503);
  await eventually(async () => expect(await status(second.adminPort, '/readyz')).toBe(200));
  const response = await fetch(`http://127.0.0.1:${second.port}/_aws/execute-api/abc123/dev/users`);
  expect([response.status, await response.text()]).toEqual([200, 'hello']);
  await eventually(async () => expect(distrustful.log()).toContain('its seal is not of our control plane'));
  expect(await status(distrustful.adminPort, '/readyz')).toBe(503);
  expect(await status(first.adminPort, '/snapshot'), 'without the node token').toBe(401);
}, 60_000);
