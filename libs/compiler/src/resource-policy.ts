/** An API's resource policy, as nodes judge by it. */
import type { RestApi } from '@gatehouse/domain';
import { Policy, PolicyError } from '@gatehouse/lang';

/** JSON text; `null` for an API without one. */
export function resourcePolicyOf({ policy }: Pick<RestApi, 'policy'>): string | null {
  return policy === null || policy === '' ? null : policy;
}

/** Why nodes cannot judge by it; `null` when they can. */
export function policyProblem(api: Pick<RestApi, 'policy'>): string | null {
  const text = resourcePolicyOf(api);
  if (text === null) return null;
  try {
    Policy.compile(JSON.parse(text), { kind: 'resource' });
    return null;
  } catch (error) {
    if (error instanceof PolicyError || error instanceof SyntaxError) return error.message;
    throw error;
  }
}
