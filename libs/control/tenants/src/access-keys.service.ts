import { publishAccessKeys, unpublishAccessKey } from '@gatehouse/control-publish';
import {
  ApiError,
  badRequest,
  DuplicateKey,
  notFound,
  type Caller,
  type Credential,
  type TenantId,
  type TenantRepositories,
  type TenantStore,
} from '@gatehouse/domain';
import { Secret, type Clock, type IdSource } from '@gatehouse/kernel';
import { Policy, PolicyError } from '@gatehouse/lang';

/** What is shown of a key after it was made: never the secret. */
export interface AccessKeyReport {
  readonly accessKeyId: string;
  readonly principalArn: string;
  readonly enabled: boolean;
  /** It opens the management API, too. */
  readonly management: boolean;
}

export interface NewAccessKey extends AccessKeyReport {
  readonly secretAccessKey: string;
}

export interface PolicyReport {
  readonly principalArn: string;
  readonly policy: unknown;
}

/** As AWS bounds the inline policies of a user, without white space. */
const DOCUMENT_CHARS_MAX = 2_048;
/** Ours: IAM's two keys for each of a few thousand users. */
const KEYS_MAX = 5_000;
const ID_ATTEMPTS = 3;
const USER_NAME = /^[A-Za-z0-9_+=,.@-]{1,64}$/;

/**
 * Access keys of a tenant, and what their principals may call: Gatehouse stands in for IAM. Nodes are told with the change, and refuse a key that
 * was disabled as soon as they heard.
 */
export class AccessKeys {
  constructor(
    private readonly store: TenantStore,
    private readonly ids: IdSource,
    private readonly clock: Clock,
  ) {}

  list(tenant: TenantId): Promise<AccessKeyReport[]> {
    return this.store.transact(tenant, async (tx) => (await tx.accessKeys.all()).map(report));
  }

  /** The secret is in the answer, and nowhere else. */
  create(tenant: TenantId, userName: string, management: boolean): Promise<NewAccessKey> {
    const principalArn = arnOf(tenant, userName);
    return this.change(tenant, async (tx) => {
      if ((await tx.accessKeys.all()).length >= KEYS_MAX)
        throw badRequest(`Maximum number of access keys for this account has been reached: ${KEYS_MAX}.`);
      const key = await this.insert(tx, principalArn, management);
      return { ...report(key), secretAccessKey: key.secret.reveal() };
    });
  }

  /** The caller's own key stays: who locks himself out has nobody to ask. */
  enable({ tenant, ...own }: Caller, accessKeyId: string, enabled: boolean): Promise<AccessKeyReport> {
    if (!enabled) refuseOwn(own, accessKeyId);
    return this.change(tenant, async (tx) => {
      const key = await tx.accessKeys.lock(accessKeyId);
      if (key === null) throw noKey(accessKeyId);
      const changed = { ...key, enabled };
      await tx.accessKeys.replace(changed);
      return report(changed);
    });
  }

  remove({ tenant, ...own }: Caller, accessKeyId: string): Promise<void> {
    refuseOwn(own, accessKeyId);
    return this.store.transact(tenant, async (tx) => {
      await tx.placement.lock();
      const sessions = (await tx.sessions.all()).filter(({ madeBy }) => madeBy === accessKeyId);
      if (!(await tx.accessKeys.remove(accessKeyId))) throw noKey(accessKeyId);
      for (const session of sessions) await unpublishAccessKey(tx, session.accessKeyId);
      await unpublishAccessKey(tx, accessKeyId);
    });
  }

  policy(tenant: TenantId, userName: string): Promise<PolicyReport> {
    const principalArn = arnOf(tenant, userName);
    return this.store.transact(tenant, async (tx) => {
      const found = await tx.identityPolicies.find(principalArn);
      if (found === null) throw noPolicy(userName);
      return { principalArn, policy: JSON.parse(found.document) as unknown };
    });
  }

  /** `region` of the caller: principals with a policy may call APIs of other tenants there. */
  putPolicy({ tenant, region }: Caller, userName: string, policy: unknown): Promise<PolicyReport> {
    const principalArn = arnOf(tenant, userName);
    const document = checkedDocument(policy);
    return this.change(tenant, async (tx) => {
      const entity = { principalArn, document, region };
      if ((await tx.identityPolicies.lock(principalArn)) === null) await tx.identityPolicies.insert(entity);
      else await tx.identityPolicies.replace(entity);
      return { principalArn, policy };
    });
  }

  removePolicy(tenant: TenantId, userName: string): Promise<void> {
    return this.change(tenant, async (tx) => {
      if (!(await tx.identityPolicies.remove(arnOf(tenant, userName)))) throw noPolicy(userName);
    });
  }

  /** With the placement locked, nobody publishes keys as they were. */
  private change<T>(tenant: TenantId, work: (tx: TenantRepositories) => Promise<T>): Promise<T> {
    return this.store.transact(tenant, async (tx) => {
      await tx.placement.lock();
      const result = await work(tx);
      await publishAccessKeys(tx, this.clock.nowMs());
      return result;
    });
  }

  private async insert(tx: TenantRepositories, principalArn: string, management: boolean): Promise<Credential> {
    for (let attempt = 1; ; attempt++) {
      const key: Credential = {
        accessKeyId: `AKIA${this.ids.id(16).toUpperCase()}`,
        tenant: tx.tenant,
        secret: new Secret(this.ids.secret(40)),
        principalArn,
        enabled: true,
        ...(!management && { callsOnly: true }),
      };
      try {
        await tx.accessKeys.insert(key);
        return key;
      } catch (error) {
        if (!(error instanceof DuplicateKey) || attempt === ID_ATTEMPTS) throw error;
      }
    }
  }
}

const report = ({ accessKeyId, principalArn, enabled, callsOnly = false }: Credential): AccessKeyReport => ({
  accessKeyId,
  principalArn,
  enabled,
  management: !callsOnly,
});

function arnOf(tenant: TenantId, userName: string): string {
  if (!USER_NAME.test(userName)) throw badRequest(`Invalid user name: expected 1 to 64 of A-Z a-z 0-9 _+=,.@-`);
  return `arn:aws:iam::${tenant}:user/${userName}`;
}

function checkedDocument(policy: unknown): string {
  const document = JSON.stringify(policy);
  if (document.length > DOCUMENT_CHARS_MAX)
    throw badRequest(`The policy has more than ${DOCUMENT_CHARS_MAX} characters without white space.`);
  try {
    Policy.compile(policy, { kind: 'identity' });
  } catch (error) {
    if (error instanceof PolicyError) throw badRequest(`Invalid policy document: ${error.message}`);
    throw error;
  }
  return document;
}

function refuseOwn({ accessKeyId: own, madeBy = own }: Pick<Caller, 'accessKeyId' | 'madeBy'>, accessKeyId: string): void {
  if (madeBy === accessKeyId)
    throw new ApiError('ConflictException', 409, 'The access key signs this very request: change it with another one.');
}

const noKey = (accessKeyId: string): ApiError => notFound(`No access key ${JSON.stringify(accessKeyId)}`);
const noPolicy = (userName: string): ApiError => notFound(`No policy of the user ${JSON.stringify(userName)}`);
