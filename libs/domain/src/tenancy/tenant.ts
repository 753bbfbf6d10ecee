import type { Secret } from '@gatehouse/kernel';

declare const tenantBrand: unique symbol;
/** Account id, 12 digits. Branded: only `tenantId()` and the store make one. */
export type TenantId = string & { readonly [tenantBrand]: true };

export function tenantId(text: string): TenantId {
  if (!/^\d{12}$/.test(text)) throw new Error(`not an account id: "${text}"`);
  return text as TenantId;
}

export interface Tenant {
  readonly id: TenantId;
  readonly name: string;
  readonly createdAtMs: number;
}

/** An access key of a tenant. */
export interface Credential {
  /** `AKIA`, of a session `ASIA`, and 16 upper-case alphanumerics. */
  readonly accessKeyId: string;
  readonly tenant: TenantId;
  readonly secret: Secret;
  /** `arn:aws:iam::{account}:user/{name}` or `…:root`. */
  readonly principalArn: string;
  readonly enabled: boolean;
  /** It signs requests to APIs and opens nothing of the management; absent: it may do both. */
  readonly callsOnly?: boolean;
  /** Absent for a long-lived key. */
  readonly session?: SessionTerms;
}

/** What temporary credentials have beyond a key and its secret. */
export interface SessionTerms {
  /** SHA-256 of the session token, in hex. */
  readonly tokenDigest: string;
  readonly expiresAtMs: number;
  /** Id of the access key that asked for it: the principal's, and what the session ends with. */
  readonly madeBy: string;
}

/** Temporary credentials of whoever has the key `madeBy`. */
export interface Session extends SessionTerms {
  /** `ASIA` and 16 upper-case alphanumerics. */
  readonly accessKeyId: string;
  readonly tenant: TenantId;
  readonly secret: Secret;
}

/** Who calls the management API, after its signature was verified. */
export interface Caller {
  readonly tenant: TenantId;
  readonly accessKeyId: string;
  readonly principalArn: string;
  /** Of temporary credentials: the access key they were made with. */
  readonly madeBy?: string;
  /** Region of the credential scope; stands in the ARNs and URLs of the answer. */
  readonly region: string;
}
