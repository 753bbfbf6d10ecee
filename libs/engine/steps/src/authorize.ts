import type { RouteAuthorization } from '@gatehouse/contracts';
import { LinkRefusal, type Connector, type RouteSettings, type Step, type StepFactory } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { askAuthorizer } from './authorizer/index.js';

/** Unknown means deny: a route whose authorization could not be expressed in the snapshot admits nobody. */
export const authorize =
  (functions: Connector): StepFactory =>
  (settings) =>
    compile(settings.route.authorization, settings, functions);

function compile(authorization: RouteAuthorization, settings: RouteSettings, functions: Connector): Step | null {
  switch (authorization.type) {
    case 'NONE':
      return null;
    case 'REFUSE': {
      const doing = `authorizing: ${authorization.reason}`;
      return (x) => x.fail(FAULTS.ACCESS_DENIED, null, doing);
    }
    case 'FUNCTION':
      return askAuthorizer(settings, authorization.authorizerId, functions);
    case 'VALIDATE':
      return compile(authorization.authorization, settings, functions); // `validate-request` does the rest
    default:
      throw new LinkRefusal(`authorization ${JSON.stringify(authorization)} is not known to this node`);
  }
}
