import type { FunctionAuthorization, RouteAuthorization, StageSnapshot, UserPoolAuthorization } from '@gatehouse/contracts';
import {
  CONTINUE,
  LinkRefusal,
  type Connector,
  type Exchange,
  type RouteSettings,
  type Step,
  type StepFactory,
  type Verdict,
} from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { askAuthorizer, checkToken } from './authorizer/index.js';
import {
  authorizeSigned,
  inTurn,
  limitMethodArn,
  needAllow,
  resourcePolicyOf,
  throughEndpoint,
  unlessDenied,
  type LinkedPolicy,
  type VpcEndpoints,
} from './iam/index.js';
import type { Limits } from './throttle.js';

export interface AuthorizerConnectors {
  readonly functions: Connector;
  /** Checks certificates. */
  readonly http: Connector;
  readonly limits: Pick<Limits, 'clock'>;
  /** Absent: nobody comes through one. */
  readonly vpcEndpoints?: VpcEndpoints;
}

/** Unknown means deny: a route whose authorization could not be expressed in the snapshot admits nobody. */
export const authorize =
  (connectors: AuthorizerConnectors): StepFactory =>
  (settings) =>
    compile(settings.route.authorization, settings, connectors, null);

/** `policy` of the API, where it takes part in the decision. */
function compile(
  authorization: RouteAuthorization,
  settings: RouteSettings,
  connectors: AuthorizerConnectors,
  policy: LinkedPolicy | null,
): Step | null {
  const { stage } = settings;
  switch (authorization.type) {
    case 'NONE':
      return policy === null ? null : needAllow(stage, policy);
    case 'REFUSE': {
      const doing = `authorizing: ${authorization.reason}`;
      return (x) => x.fail(FAULTS.ACCESS_DENIED, null, doing);
    }
    case 'FUNCTION':
      return limitMethodArn(stage, askFunction(settings, authorization, connectors, policy));
    case 'USER_POOLS':
      return limitMethodArn(stage, checkPoolToken(settings, authorization, connectors, policy));
    case 'IAM':
      return limitMethodArn(stage, authorizeSigned(settings, connectors.limits.clock, policy?.policy ?? null));
    case 'VALIDATE':
      return compile(authorization.authorization, settings, connectors, policy); // `validate-request` does the rest
    case 'PRIVATE': {
      const { vpcEndpoints = () => null } = connectors;
      return throughEndpoint(stage, vpcEndpoints, compile(authorization.authorization, settings, connectors, policy));
    }
    case 'FILTERED':
      return compile(authorization.authorization, settings, connectors, policy); // the listener turns away whom the stage blocks
    case 'RESOURCE_POLICY':
      return compile(authorization.authorization, settings, connectors, resourcePolicyOf(stage));
    default:
      throw new LinkRefusal(`authorization ${JSON.stringify(authorization)} is not known to this node`);
  }
}

/** What a stage asks of those who ask for nothing that is there. `null`: it tells nobody that nothing is there. Throws LinkRefusal. */
export function admitUnrouted(stage: StageSnapshot, vpcEndpoints: VpcEndpoints = () => null): ((x: Exchange) => Verdict) | null {
  if (stage.notFound === undefined) return null;
  const judge = stage.resourcePolicy === undefined ? (): Verdict => CONTINUE : needAllow(stage, resourcePolicyOf(stage));
  return stage.notFound.isPrivate ? throughEndpoint(stage, vpcEndpoints, judge) : judge;
}

function checkPoolToken(
  settings: RouteSettings,
  authorization: UserPoolAuthorization,
  { http }: AuthorizerConnectors,
  policy: LinkedPolicy | null,
): Step {
  const check = checkToken(settings, authorization, http);
  return policy === null ? check : inTurn(check, needAllow(settings.stage, policy));
}

function askFunction(
  settings: RouteSettings,
  { authorizerId }: FunctionAuthorization,
  { functions }: AuthorizerConnectors,
  policy: LinkedPolicy | null,
): Step {
  if (policy === null) return askAuthorizer(settings, authorizerId, functions, null);
  return unlessDenied(settings.stage, policy, askAuthorizer(settings, authorizerId, functions, policy.policy));
}
