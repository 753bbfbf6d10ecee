import {
  ADMINISTRATOR_DOCUMENT,
  DuplicateKey,
  tenantId,
  type Credential,
  type Tenant,
  type TenantDirectory,
} from '@gatehouse/domain';
import { Secret, type Clock, type IdSource } from '@gatehouse/kernel';

const ID_ATTEMPTS = 3;

/**
 * Makes a tenant with one long-lived access key. The secret is shown by nobody later: keep what comes back.
 * `name` also names the principal, `arn:aws:iam::{account}:user/{name}`.
 */
export async function createTenant(
  directory: TenantDirectory,
  ids: IdSource,
  clock: Clock,
  name = 'admin',
): Promise<{ tenant: Tenant; credential: Credential }> {
  if (!/^[A-Za-z0-9_+=,.@-]{1,64}$/.test(name)) throw new Error(`not a name for a tenant: "${name}"`);
  for (let attempt = 1; ; attempt++) {
    const id = tenantId(ids.digits(12));
    const tenant: Tenant = { id, name, createdAtMs: clock.nowMs() };
    const credential: Credential = {
      accessKeyId: `AKIA${ids.id(16).toUpperCase()}`,
      tenant: id,
      secret: new Secret(ids.secret(40)),
      principalArn: `arn:aws:iam::${id}:user/${name}`,
      enabled: true,
    };
    try {
      const policy = { principalArn: credential.principalArn, document: ADMINISTRATOR_DOCUMENT, region: null };
      await directory.create(tenant, [credential], [policy]);
      return { tenant, credential };
    } catch (error) {
      if (!(error instanceof DuplicateKey) || attempt === ID_ATTEMPTS) throw error;
    }
  }
}
