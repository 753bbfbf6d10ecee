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

/** A long-lived access key of a tenant. */
export interface Credential {
  /** `AKIA` and 16 upper-case alphanumerics. */
  readonly accessKeyId: string;
  readonly tenant: TenantId;
  readonly secret: Secret;
  /** `arn:aws:iam::{account}:user/{name}` or `…:root`. */
  readonly principalArn: string;
  readonly enabled: boolean;
  /** It signs requests to APIs and opens nothing of the management; absent: it may do both. */
  readonly callsOnly?: boolean;
}

/** Who calls the management API, after its signature was verified. */
export interface Caller {
  readonly tenant: TenantId;
  readonly accessKeyId: string;
  readonly principalArn: string;
  /** Region of the credential scope; stands in the ARNs and URLs of the answer. */
  readonly region: string;
}
