/**
 * A method of the draft as the one route of a stage `test-invoke-stage`. What API Gateway bypasses in a test is left out of it:
 * authorizers, API keys, throttles and the resource policy (API Gateway guide, "Use the API Gateway console to test a REST API method").
 */
import { compileStage, encodeSnapshot } from '@gatehouse/compiler';
import type { RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  AWS_QUOTAS,
  newStage,
  noSuchClientCertificate,
  unknownIntegration,
  unknownMethod,
  unknownResource,
  type Integration,
  type Method,
  type Resource,
  type TenantRepositories,
  type TextMap,
} from '@gatehouse/domain';

export const TEST_STAGE = 'test-invoke-stage';

export interface DraftRequest {
  readonly apiId: string;
  readonly resourceId: string;
  readonly httpMethod: string;
  readonly stageVariables: TextMap | undefined;
  readonly clientCertificateId: string | undefined;
}

export interface Draft {
  readonly snapshot: Uint8Array;
  readonly resource: Resource;
  readonly integration: Integration;
}

/** Throws NotFound for what is not there, BadRequest for settings that no stage could have. */
export async function compileDraft(tx: TenantRepositories, request: DraftRequest, nowMs: number): Promise<Draft> {
  const { apiId, resourceId, httpMethod, stageVariables, clientCertificateId = '' } = request;
  const [api, resource] = [await tx.restApis.find(apiId), await tx.resources.find({ apiId, resourceId })];
  if (api === null || resource === null) throw unknownResource();
  const method = await tx.methods.find({ apiId, resourceId, httpMethod });
  if (method === null) throw unknownMethod();
  if (method.integration === null) throw unknownIntegration();
  if (clientCertificateId !== '' && (await tx.clientCertificates.find(clientCertificateId)) === null)
    throw noSuchClientCertificate();
  const settings = stageVariables === undefined ? {} : { variables: stageVariables };
  const quotas = await tx.quotas.read();
  const stage = newStage(apiId, TEST_STAGE, TEST_STAGE, settings, nowMs, quotas);
  const { payloadBytes } = quotas;
  const { snapshot } = compileStage({
    tenant: tx.tenant,
    definition: {
      formatVersion: 1,
      api: { ...api, policy: null },
      resources: [resource],
      methods: [withoutGuards(method)],
      parts: {
        models: await tx.models.ofApi(apiId),
        requestValidators: await tx.requestValidators.ofApi(apiId),
        authorizers: [],
        gatewayResponses: await tx.gatewayResponses.ofApi(apiId),
      },
    },
    deploymentId: '',
    stage: { ...stage, clientCertificateId: clientCertificateId === '' ? null : clientCertificateId },
    account: await tx.account.read(),
    region: api.region,
    ...(payloadBytes !== AWS_QUOTAS.payloadBytes && { payloadBytesMax: payloadBytes }),
  });
  return { snapshot: encodeSnapshot(open(snapshot)), resource, integration: method.integration };
}

const withoutGuards = (method: Method): Method => ({
  ...method,
  authorizationType: 'NONE',
  authorizerId: null,
  authorizationScopes: [],
  apiKeyRequired: false,
});

const open = (snapshot: StageSnapshot): StageSnapshot => ({
  ...snapshot,
  accountThrottle: null,
  routes: snapshot.routes.map(openRoute),
});

/**
 * The request is still validated. What is refused, for whatever reason, answers as what cannot be served, and not as if the caller
 * lacked a permission.
 */
function openRoute(route: RouteSnapshot): RouteSnapshot {
  const { authorization } = route;
  const opened = { ...route, throttle: null };
  if (authorization.type !== 'REFUSE') return opened;
  return { ...opened, authorization: { type: 'NONE' }, integration: { type: 'REFUSE', reason: authorization.reason } };
}
