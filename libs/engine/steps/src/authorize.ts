import type { RouteAuthorization } from '@gatehouse/contracts';
import { LinkRefusal, type Step, type StepFactory } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';

/** Unknown means deny: a route whose authorization could not be expressed in the snapshot admits nobody. */
export const authorize: StepFactory = ({ route }) => compile(route.authorization);

function compile(authorization: RouteAuthorization): Step | null {
  switch (authorization.type) {
    case 'NONE':
      return null;
    case 'REFUSE': {
      const doing = `authorizing: ${authorization.reason}`;
      return (x) => x.fail(FAULTS.ACCESS_DENIED, null, doing);
    }
    case 'VALIDATE':
      return compile(authorization.authorization); // `validate-request` does the rest
    default:
      throw new LinkRefusal(`authorization ${JSON.stringify(authorization)} is not known to this node`);
  }
}
