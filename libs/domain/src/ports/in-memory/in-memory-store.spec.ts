import { expect, test } from 'vitest';
import { DEFAULT_ACCOUNT_SETTINGS } from '../../tenancy/account.js';
import { tenantId } from '../../tenancy/tenant.js';
import { InMemoryStore } from './in-memory-store.js';

const tenant = tenantId('123456789012');

test('what a failed transaction wrote is gone', async () => {
  const store = new InMemoryStore();
  const failing = store.tenants.transact(tenant, async (tx) => {
    await tx.account.write({ ...DEFAULT_ACCOUNT_SETTINGS, cloudwatchRoleArn: 'arn' });
    await tx.manifest.put('STAGE', 's', { digest: null, blobBytes: 0, inline: '{}' });
    throw new Error('refused');
  });
  await expect(failing).rejects.toThrow('refused');
  expect(await store.tenants.transact(tenant, (tx) => tx.account.read())).toEqual(DEFAULT_ACCOUNT_SETTINGS);
  expect(await store.manifest.head()).toBe(0);
});

test('a repository that outlives its transaction says so instead of losing the write', async () => {
  const store = new InMemoryStore();
  const late = await store.tenants.transact(tenant, async (tx) => tx);
  await expect(late.account.read()).rejects.toThrow('is an await missing?');
  await expect(late.manifest.remove('STAGE', 's')).rejects.toThrow('is an await missing?');
});
