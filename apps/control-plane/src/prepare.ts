/** Brings the database to this version and sees to the first tenant. Safe to run again, and by several at once. */
import { ADMINISTRATOR_DOCUMENT, DuplicateKey, tenantId } from '@gatehouse/domain';
import { systemClock } from '@gatehouse/kernel';
import { createStore, migrate } from '@gatehouse/store';
import { readPrepareConfig } from './config.js';

const { databaseUrl, masterKey, accountId, accessKeyId, secretAccessKey } = readPrepareConfig(process.env);
await migrate(databaseUrl);
const store = await createStore({ databaseUrl, masterKey });
const tenant = tenantId(accountId);
const credential = {
  accessKeyId,
  tenant,
  secret: secretAccessKey,
  principalArn: `arn:aws:iam::${tenant}:user/admin`,
  enabled: true,
};
try {
  const policy = { principalArn: credential.principalArn, document: ADMINISTRATOR_DOCUMENT, region: null };
  await store.directory.create({ id: tenant, name: 'admin', createdAtMs: systemClock.nowMs() }, [credential], [policy]);
} catch (error) {
  if (!(error instanceof DuplicateKey)) throw error;
}
await store.close();
process.exit(0); // the schema engine leaves its 10 s lock timeout running, which would hold the process up
