import { NO_SERVICE_ACCESS, type RoleCredentials, type ServiceAccess, type ServiceAccessRepository } from '@gatehouse/domain';
import { Secret } from '@gatehouse/kernel';
import { statement } from '../statement-batch.js';
import type { TransactionScope } from './prisma-repository.js';

const LOCK = statement('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))');
const FIND = statement('SELECT "sealed_document" FROM "tenant_service_access" WHERE "tenant_id" = $1');
const WRITE = statement(
  `INSERT INTO "tenant_service_access" ("tenant_id", "sealed_document") VALUES ($1, $2)
   ON CONFLICT ("tenant_id") DO UPDATE SET "sealed_document" = excluded."sealed_document"`,
);

/** The document with its secrets in clear, before it is sealed. */
interface OpenDocument extends Omit<ServiceAccess, 'roles'> {
  readonly roles: Readonly<Record<string, OpenRole>>;
}
interface OpenRole extends Omit<RoleCredentials, 'secretAccessKey' | 'sessionToken'> {
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

/** One sealed text for each tenant of whom something is said. */
export class PrismaServiceAccess implements ServiceAccessRepository {
  constructor(private readonly scope: TransactionScope) {}

  async read(): Promise<ServiceAccess> {
    const { tx, tenant, sealer } = this.scope;
    const { rows } = await tx.run(FIND, [tenant]);
    if (rows.length === 0) return NO_SERVICE_ACCESS;
    const text = sealer.open(Buffer.from(rows[0]![0]!, 'base64'), placeOf(tenant)).reveal();
    return mapRoles(JSON.parse(text) as OpenDocument, ({ secretAccessKey, sessionToken, ...role }) => ({
      ...role,
      secretAccessKey: new Secret(secretAccessKey),
      sessionToken: sessionToken === null ? null : new Secret(sessionToken),
    }));
  }

  /** An advisory lock, because a tenant of whom nothing is said has no row. */
  async lock(): Promise<ServiceAccess> {
    const { tx, tenant } = this.scope;
    // Two statements: one that waited for the lock would still see what was there before.
    const [, access] = await Promise.all([tx.run(LOCK, [`service access ${tenant}`]), this.read()]);
    return access;
  }

  async write(access: ServiceAccess): Promise<void> {
    const { tx, tenant, sealer } = this.scope;
    const open: OpenDocument = mapRoles(access, ({ secretAccessKey, sessionToken, ...role }) => ({
      ...role,
      secretAccessKey: secretAccessKey.reveal(),
      sessionToken: sessionToken?.reveal() ?? null,
    }));
    const sealed = sealer.seal(new Secret(JSON.stringify(open)), placeOf(tenant));
    await tx.run(WRITE, [tenant, Buffer.from(sealed).toString('base64')]);
  }
}

const placeOf = (tenant: string): string => `tenant_service_access/${tenant}/sealed_document`;

function mapRoles<From, To>(
  { services, roles, users }: Omit<ServiceAccess, 'roles'> & { readonly roles: Readonly<Record<string, From>> },
  map: (role: From) => To,
): Omit<ServiceAccess, 'roles'> & { readonly roles: Readonly<Record<string, To>> } {
  return { services, users, roles: Object.fromEntries(Object.entries(roles).map(([name, role]) => [name, map(role)])) };
}
