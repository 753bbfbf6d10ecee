/**
 * Private APIs (data-plane reference §12.5): served to callers that come through a VPC endpoint, which here is a name for networks that callers come
 * from, and only as far as a resource policy allows. Whoever comes another way learns nothing of the API.
 */
import type { StageSnapshot } from '@gatehouse/contracts';
import { CONTINUE, type Exchange, type Step, type Verdict, type VpcEndpointView } from '@gatehouse/engine-exchange';
import { FAULTS } from '@gatehouse/engine-faults';
import { NO_MATCH } from '@gatehouse/lang';
import { refuseCaller } from './authorize-signed.js';
import { methodArnOf } from './method-arn.js';

/** `null` for an address that belongs to none. */
export type VpcEndpoints = (sourceIp: string) => VpcEndpointView | null;

/** `{apiId}-{vpceId}.execute-api...`: such a name leads to one endpoint alone. */
const NAMED_ENDPOINT = /^[a-z0-9]+-(vpce-[a-z0-9]+)\.execute-api(?:\.|$)/;

/** `step` is what the route asks for besides; `null` for nothing. */
export function throughEndpoint<V extends ReturnType<Step>>(
  stage: StageSnapshot,
  endpoints: VpcEndpoints,
  step: ((x: Exchange) => V) | null,
): (x: Exchange) => V | Verdict {
  const methodArn = methodArnOf(stage);
  const hasPolicy = stage.resourcePolicy !== undefined;
  return (x: Exchange) => {
    const endpoint = endpoints(x.sourceIp);
    if (endpoint === null) return x.fail(FAULTS.NOT_THROUGH_ENDPOINT, null, 'looking for the VPC endpoint of the caller');
    const named = NAMED_ENDPOINT.exec(x.host)?.[1];
    if (named !== undefined && named !== endpoint.vpceId)
      return x.fail(FAULTS.NOT_THROUGH_ENDPOINT, null, 'comparing the VPC endpoint with the one in Host');
    x.vpcEndpoint = endpoint;
    // API Gateway guide, "Use API Gateway resource policies": without one, a private API lets in nobody.
    if (!hasPolicy) return refuseCaller(x, 'anonymous', methodArn(x), stage.tenant, NO_MATCH);
    return step === null ? CONTINUE : step(x);
  };
}
