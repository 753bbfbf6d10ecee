/** The role in `integration.credentials` or `authorizerCredentials` (data-plane reference §3.2). */

export interface RoleName {
  /** 12 digits: the tenant's own. */
  readonly account: string;
  /** With its path, e.g. `service-role/orders`. */
  readonly name: string;
}

const ROLE = /^arn:aws[a-z-]{0,20}:iam::(\d{12}):role\/([A-Za-z0-9+=,.@_/-]{1,512})$/;
const CALLER = /^arn:aws[a-z-]{0,20}:iam::\*:user\/\*$/;

/** The role, or why it cannot be used. */
export function readRole(arn: string, tenant: string): RoleName | string {
  if (CALLER.test(arn)) return "the caller's own credentials cannot be passed on: a signature does not reveal its key";
  const role = ROLE.exec(arn);
  if (role === null) return `"${arn}" is not the ARN of a role`;
  // AWS lets nobody pass a role of another account.
  if (role[1] !== tenant) return `role ${arn} belongs to another account`;
  return { account: role[1], name: role[2]! };
}
