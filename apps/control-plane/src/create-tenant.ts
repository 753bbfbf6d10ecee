/** `node apps/control-plane/dist/create-tenant.js NAME`: makes a tenant and prints its credentials as JSON, once. */
import { createTenant } from '@gatehouse/control-tenants';
import { randomIds, readConfig, systemClock } from '@gatehouse/kernel';
import { createStore } from '@gatehouse/store';
import { STORE_SETTINGS } from './config.js';

const [name] = process.argv.slice(2);
if (name === undefined || name.startsWith('-')) {
  console.error('usage: create-tenant NAME\nMakes a tenant and prints its account id and access key as JSON.');
  process.exit(2);
}
const store = await createStore(readConfig(STORE_SETTINGS, process.env));
const { tenant, credential } = await createTenant(store.directory, randomIds, systemClock, name);
console.log(
  JSON.stringify(
    { accountId: tenant.id, accessKeyId: credential.accessKeyId, secretAccessKey: credential.secret.reveal() },
    null,
    2,
  ),
);
await store.close();
