/** The step of a route with AWS_IAM: who signed the request, and whether policies let them call the method. */
import type { StageSnapshot } from '@gatehouse/contracts';
import {
  CONTINUE,
  type PolicyDenial,
  type AccessKeyView,
  type Exchange,
  type RouteSettings,
  type Step,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import type { Clock } from '@gatehouse/kernel';
import { ALLOWED, DENIED, NO_MATCH, Policy, type PolicyDecision } from '@gatehouse/lang';
import { bothAllow, eitherAllows, evaluate, EXPLICIT_DENY, INVALIDATE_CACHE, INVOKE, isRoot } from './judge.js';
import { maskedArn, methodArnOf } from './method-arn.js';
import { checkSignature } from './signature.js';

/** `resourcePolicy` of the API; `null` for none, which lets in nobody of another account. */
export function authorizeSigned({ stage }: RouteSettings, clock: Clock, resourcePolicy: Policy | null): Step {
  const check = checkSignature(stage, clock);
  const methodArn = methodArnOf(stage);
  const judge = (x: Exchange): Verdict => {
    const key = x.accessKey!;
    const arn = methodArn(x);
    const own = ownDecision(key, x, arn);
    const ofApi = resourcePolicy === null ? NO_MATCH : evaluate(resourcePolicy, x, arn);
    const decision = key.tenant === stage.tenant ? eitherAllows(own, ofApi) : bothAllow(own, ofApi);
    return decision === ALLOWED ? CONTINUE : refuseCaller(x, key.principalArn, arn, stage.tenant, decision);
  };
  return (x) => {
    const verdict = check(x);
    if (typeof verdict === 'object') return verdict.then((late) => (late === CONTINUE ? judge(x) : late));
    return verdict === CONTINUE ? judge(x) : verdict;
  };
}

/** In AWS's words (data-plane reference §1.4). `user` is the caller's ARN, or `anonymous`. */
export function refuseCaller(
  x: Exchange,
  user: string,
  methodArn: string,
  account: string,
  decision: PolicyDecision,
  denial: PolicyDenial | null = null,
): Verdict {
  const resource = maskedArn(methodArn, account);
  const message = `User: ${user} is not authorized to perform: execute-api:Invoke on resource: ${resource}`;
  return x.fail(FAULTS.ACCESS_DENIED, denial, 'judging by policies', decision === DENIED ? message + EXPLICIT_DENY : message);
}

/** The root of an account may do everything as far as the account is asked. */
function ownDecision(key: AccessKeyView, x: Exchange, methodArn: string, action = INVOKE): PolicyDecision {
  if (isRoot(key)) return ALLOWED;
  const policy = policyOf(key);
  return typeof policy === 'number' ? policy : evaluate(policy, x, methodArn, action);
}

/**
 * Whether whoever signed the request may have an entry of the cache replaced: by a policy of their own, and not in another account
 * (API Gateway guide, "Grant permission to invalidate an API's cache").
 */
export function mayInvalidateCache(stage: StageSnapshot): (x: Exchange) => boolean {
  const methodArn = methodArnOf(stage);
  return (x) =>
    x.accessKey !== null &&
    x.accessKey.tenant === stage.tenant &&
    ownDecision(x.accessKey, x, methodArn(x), INVALIDATE_CACHE) === ALLOWED;
}

/** Compiled at a key's first request; as long as the key stays as it was published. Without a policy, or with one that means nothing here, the decision. */
const compiled = new WeakMap<AccessKeyView, Policy | PolicyDecision>();

function policyOf(key: AccessKeyView): Policy | PolicyDecision {
  let policy = compiled.get(key);
  if (policy === undefined) compiled.set(key, (policy = compile(key.policy)));
  return policy;
}

/** The control plane takes no policy that cannot be understood, so such a one is of a newer release, and may deny whatever it likes. */
function compile(text: string | null): Policy | PolicyDecision {
  if (text === null) return NO_MATCH;
  try {
    return Policy.compile(JSON.parse(text), { kind: 'identity' });
  } catch {
    return DENIED;
  }
}
