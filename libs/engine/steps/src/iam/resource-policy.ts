/**
 * What an API's resource policy says of callers whom nobody identifies, alone and with an authorizer (data-plane reference §6.8):
 *
 *   alone             an Allow is needed
 *   Lambda            a Deny ends the request before the function is asked; its policy and this one then decide together
 *   user pools        the token first, then an Allow is needed
 *   AWS_IAM           `authorize-signed.ts`
 */
import type { StageSnapshot } from '@gatehouse/contracts';
import { CONTINUE, LinkRefusal, PolicyDenial, type Exchange, type Step, type Verdict } from '@gatehouse/engine-exchange';
import { ALLOWED, DENIED, Policy, PolicyError, type PolicyDecision } from '@gatehouse/lang';
import { refuseCaller } from './authorize-signed.js';
import { denyingStatement, evaluate } from './judge.js';
import { apiArnOf, methodArnOf } from './method-arn.js';

export interface LinkedPolicy {
  readonly policy: Policy;
  /** As its owner wrote it. */
  readonly document: unknown;
}

/** The routes of a stage share it. */
const compiled = new WeakMap<StageSnapshot, LinkedPolicy>();

/** Throws LinkRefusal. */
export function resourcePolicyOf(stage: StageSnapshot): LinkedPolicy {
  let policy = compiled.get(stage);
  if (policy === undefined) compiled.set(stage, (policy = compile(stage)));
  return policy;
}

function compile(stage: StageSnapshot): LinkedPolicy {
  try {
    const document: unknown = JSON.parse(stage.resourcePolicy ?? '');
    return { policy: Policy.compile(document, { kind: 'resource', apiArn: apiArnOf(stage) }), document };
  } catch (error) {
    if (error instanceof PolicyError || error instanceof SyntaxError) throw new LinkRefusal(`resource policy: ${error.message}`);
    throw error;
  }
}

const ANONYMOUS_USER = 'anonymous';

/** Admits whom the policy allows. */
export function needAllow(stage: StageSnapshot, linked: LinkedPolicy): (x: Exchange) => Verdict {
  const methodArn = methodArnOf(stage);
  return (x) => {
    const arn = methodArn(x);
    const decision = evaluate(linked.policy, x, arn);
    return decision === ALLOWED ? CONTINUE : refuseAnonymous(x, stage, linked, arn, decision);
  };
}

/** `step`, for those whom the policy does not deny. */
export function unlessDenied(stage: StageSnapshot, linked: LinkedPolicy, step: Step): Step {
  const methodArn = methodArnOf(stage);
  return (x) => {
    const arn = methodArn(x);
    return evaluate(linked.policy, x, arn) === DENIED ? refuseAnonymous(x, stage, linked, arn, DENIED) : step(x);
  };
}

function refuseAnonymous(
  x: Exchange,
  { tenant }: StageSnapshot,
  { policy, document }: LinkedPolicy,
  methodArn: string,
  decision: PolicyDecision,
): Verdict {
  const statement = (): number => denyingStatement(policy, x, methodArn);
  const denial = new PolicyDenial(decision === DENIED, methodArn, document, statement);
  return refuseCaller(x, ANONYMOUS_USER, methodArn, tenant, decision, denial);
}

/** One after the other, while they admit. */
export function inTurn(first: Step, second: (x: Exchange) => Verdict): Step {
  return (x) => {
    const verdict = first(x);
    if (typeof verdict === 'object') return verdict.then((late) => (late === CONTINUE ? second(x) : late));
    return verdict === CONTINUE ? second(x) : verdict;
  };
}
