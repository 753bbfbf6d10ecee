import type { RouteAuthorization } from '@gatehouse/contracts';
import { LinkRefusal, type Connector, type RouteSettings, type Step, type StepFactory } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { askAuthorizer, checkToken } from './authorizer/index.js';
import { authorizeSigned } from './iam/index.js';
import type { Limits } from './throttle.js';

export interface AuthorizerConnectors {
  readonly functions: Connector;
  /** Checks certificates. */
  readonly http: Connector;
  readonly limits: Pick<Limits, 'clock'>;
}

/** Unknown means deny: a route whose authorization could not be expressed in the snapshot admits nobody. */
export const authorize =
  (connectors: AuthorizerConnectors): StepFactory =>
  (settings) =>
    compile(settings.route.authorization, settings, connectors);

function compile(authorization: RouteAuthorization, settings: RouteSettings, connectors: AuthorizerConnectors): Step | null {
  switch (authorization.type) {
    case 'NONE':
      return null;
    case 'REFUSE': {
      const doing = `authorizing: ${authorization.reason}`;
      return (x) => x.fail(FAULTS.ACCESS_DENIED, null, doing);
    }
    case 'FUNCTION':
      return askAuthorizer(settings, authorization.authorizerId, connectors.functions);
    case 'USER_POOLS':
      return checkToken(settings, authorization, connectors.http);
    case 'IAM':
      return authorizeSigned(settings, connectors.limits.clock, null);
    case 'VALIDATE':
      return compile(authorization.authorization, settings, connectors); // `validate-request` does the rest
    default:
      throw new LinkRefusal(`authorization ${JSON.stringify(authorization)} is not known to this node`);
  }
}
