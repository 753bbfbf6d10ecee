/**
 * What policies say of a request, alone and together (data-plane reference §6.8).
 *
 *   other policy   resource policy   same account       other account
 *   Allow          Allow             Allow              Allow
 *   Allow          no match          Allow              implicit deny
 *   no match       Allow             Allow              implicit deny
 *   no match       no match          implicit deny      implicit deny
 *   one of them Deny                 explicit deny      explicit deny
 */
import { lastHeader, type AccessKeyView, type Exchange } from '@gatehouse/engine-exchange';
import {
  ALLOWED,
  ANONYMOUS,
  DENIED,
  NO_MATCH,
  type Caller,
  type KeyValues,
  type Policy,
  type PolicyDecision,
  type PolicyRequest,
} from '@gatehouse/lang';

export const INVOKE = 'execute-api:Invoke';
export const INVALIDATE_CACHE = 'execute-api:InvalidateCache';

/** Who signed the request, as policies name them. */
export function callerOf(key: AccessKeyView | null): Caller {
  return key === null ? ANONYMOUS : { ...ANONYMOUS, accountId: key.tenant, arns: [key.principalArn] };
}

/**
 * A path with escapes is denied by a policy that denies either form of it: who wrote the policy may have meant what the backend makes of it.
 */
export function evaluate(policy: Policy, x: Exchange, methodArn: string, action = INVOKE): PolicyDecision {
  const request = requestOf(x, methodArn, action);
  const decision = policy.evaluate(request);
  if (decision === DENIED || !methodArn.includes('%')) return decision;
  return policy.evaluate(decoded(request)) === DENIED ? DENIED : decision;
}

/** Index of the statement that `evaluate` found to deny the request; -1 when none does. */
export function denyingStatement(policy: Policy, x: Exchange, methodArn: string): number {
  const request = requestOf(x, methodArn, INVOKE);
  const statement = policy.denyingStatement(request);
  return statement === -1 && methodArn.includes('%') ? policy.denyingStatement(decoded(request)) : statement;
}

const requestOf = (x: Exchange, resource: string, action: string): PolicyRequest => ({
  action,
  resource,
  caller: callerOf(x.accessKey),
  values: valuesOf(x),
});

/** Escapes that are none do not get this far. */
const decoded = (request: PolicyRequest): PolicyRequest => ({ ...request, resource: decodeURIComponent(request.resource) });

/** Table A: what an authorizer or a user of the same account may do, together with the resource policy. */
export function eitherAllows(a: PolicyDecision, b: PolicyDecision): PolicyDecision {
  if (a === DENIED || b === DENIED) return DENIED;
  return a === ALLOWED || b === ALLOWED ? ALLOWED : NO_MATCH;
}

/** Table B: callers of another account, and tokens of user pools. */
export function bothAllow(a: PolicyDecision, b: PolicyDecision): PolicyDecision {
  if (a === DENIED || b === DENIED) return DENIED;
  return a === ALLOWED && b === ALLOWED ? ALLOWED : NO_MATCH;
}

export const EXPLICIT_DENY = ' with an explicit deny';

/** API Gateway guide, "AWS condition keys that can be used in API Gateway resource policies", as far as a request has them. */
function valuesOf(x: Exchange): KeyValues {
  return (key) => {
    switch (key.toLowerCase()) {
      case 'aws:sourceip':
        // Public addresses only, as on AWS.
        return x.vpcEndpoint === null ? one(x.sourceIp) : null;
      case 'aws:vpcsourceip':
        return x.vpcEndpoint === null ? null : one(x.sourceIp);
      case 'aws:sourcevpce':
        return x.vpcEndpoint === null ? null : [x.vpcEndpoint.vpceId];
      case 'aws:sourcevpc':
        return x.vpcEndpoint === null ? null : [x.vpcEndpoint.vpcId];
      case 'aws:useragent':
        return one(x.userAgent);
      case 'aws:referer':
        return one(lastHeader(x.requestHeaders, 'referer'));
      case 'aws:securetransport':
        return [String(x.forwardedProto === 'https')];
      case 'aws:currenttime':
        return [new Date(x.receivedAtMs).toISOString()];
      case 'aws:epochtime':
        return [String(Math.floor(x.receivedAtMs / 1000))];
      default:
        return x.accessKey === null ? null : principalValue(x.accessKey, key.toLowerCase());
    }
  };
}

const ROOT = ':root';

export const isRoot = ({ principalArn }: AccessKeyView): boolean => principalArn.endsWith(ROOT);

/** Of long-lived keys: what is said of sessions and of organizations, no request here has. */
function principalValue(key: AccessKeyView, name: string): readonly string[] | null {
  switch (name) {
    case 'aws:principalaccount':
      return [key.tenant];
    case 'aws:principalarn':
      return [key.principalArn];
    case 'aws:principaltype':
      return [isRoot(key) ? 'Account' : 'User'];
    case 'aws:userid':
      return [key.userId];
    case 'aws:username':
      return isRoot(key) ? null : one(key.principalArn.slice(key.principalArn.lastIndexOf('/') + 1));
    default:
      return null;
  }
}

const one = (value: string | null): readonly string[] | null => (value === null || value === '' ? null : [value]);
