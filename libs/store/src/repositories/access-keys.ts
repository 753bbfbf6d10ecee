import type {
  AccessKeyRepository,
  Credential,
  IdentityPolicy,
  IdentityPolicyRepository,
  Session,
  SessionRepository,
  TenantId,
} from '@gatehouse/domain';
import { columnText } from '../column-text.js';
import type * as rows from '../gen/client.js';
import { sealedPlace } from '../directory.js';
import { document, fromDocument, PrismaRepository, type TransactionScope } from './prisma-repository.js';

export class PrismaAccessKeys extends PrismaRepository<string, Credential, rows.Credential> implements AccessKeyRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'credential',
      rows: (tx) => tx.credential,
      table: 'credentials',
      keyColumns: ['access_key_id'],
      keyOf: (key) => key.accessKeyId,
      where: (accessKeyId) => ({ accessKeyId: columnText(accessKeyId) }),
      toRow: ({ accessKeyId, secret, principalArn, enabled, callsOnly = false }) => ({
        sealedSecret: scope.sealer.seal(secret, sealedPlace(accessKeyId)),
        principalArn: columnText(principalArn),
        enabled,
        callsOnly,
      }),
      toEntity: ({ accessKeyId, tenantId, sealedSecret, principalArn, enabled, callsOnly }) => ({
        accessKeyId,
        tenant: tenantId as TenantId,
        secret: scope.sealer.open(sealedSecret, sealedPlace(accessKeyId)),
        principalArn,
        enabled,
        ...(callsOnly && { callsOnly }),
      }),
    });
  }
  all() {
    return this.list({}, { accessKeyId: 'asc' });
  }
}

export class PrismaSessions extends PrismaRepository<string, Session, rows.Session> implements SessionRepository {
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'session',
      rows: (tx) => tx.session,
      table: 'sessions',
      keyColumns: ['access_key_id'],
      keyOf: (session) => session.accessKeyId,
      where: (accessKeyId) => ({ accessKeyId: columnText(accessKeyId) }),
      toRow: ({ accessKeyId, secret, tokenDigest, expiresAtMs, madeBy }) => ({
        sealedSecret: scope.sealer.seal(secret, sealedPlace(accessKeyId)),
        tokenDigest,
        expiresAtMs,
        madeBy: columnText(madeBy),
      }),
      toEntity: ({ accessKeyId, tenantId, sealedSecret, tokenDigest, expiresAtMs, madeBy }) => ({
        accessKeyId,
        tenant: tenantId as TenantId,
        secret: scope.sealer.open(sealedSecret, sealedPlace(accessKeyId)),
        tokenDigest,
        expiresAtMs: Number(expiresAtMs),
        madeBy,
      }),
    });
  }
  all() {
    return this.list({}, { accessKeyId: 'asc' });
  }
  async count() {
    return (await this.rows()).count({ where: this.owned({}) });
  }
}

export class PrismaIdentityPolicies
  extends PrismaRepository<string, IdentityPolicy, rows.IdentityPolicy>
  implements IdentityPolicyRepository
{
  constructor(scope: TransactionScope) {
    super(scope, {
      entity: 'identity policy',
      rows: (tx) => tx.identityPolicy,
      table: 'identity_policies',
      keyColumns: ['principal_arn'],
      keyOf: (policy) => policy.principalArn,
      where: (principalArn) => ({ principalArn: columnText(principalArn) }),
      toRow: (policy) => ({ document: document(policy) }),
      toEntity: fromDocument,
    });
  }
  all() {
    return this.list({}, { principalArn: 'asc' });
  }
}
