/**
 * What a node runs in a test: an authorizer of the draft in a stage without routes, or a method of the draft as the one route of a stage `test-invoke-stage`. What API Gateway bypasses in a test is left out of it:
 * authorizers, API keys, throttles and the resource policy (API Gateway guide, "Use the API Gateway console to test a REST API method").
 */
import { compileAuthorizer, compileStage, encodeSnapshot } from '@gatehouse/compiler';
import { vpcLinksFor } from '@gatehouse/control-publish';
import type { AuthorizerSnapshot, RouteSnapshot, StageSnapshot } from '@gatehouse/contracts';
import {
  AWS_QUOTAS,
  newStage,
  noSuchClientCertificate,
  unknownAuthorizer,
  unknownIntegration,
  unknownMethod,
  unknownResource,
  type Integration,
  type Method,
  type Resource,
  type RestApi,
  type RestApiDefinition,
  type Stage,
  type TenantRepositories,
  type TextMap,
} from '@gatehouse/domain';

/** What AWS calls the stage, of a method and of an authorizer. */
export const TEST_STAGE = 'test-invoke-stage';
export const AUTHORIZER_TEST_STAGE = 'ESTestInvoke-stage';

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
  const stage = await testStage(tx, apiId, TEST_STAGE, stageVariables, nowMs);
  const snapshot = await compileTest(
    tx,
    api,
    { ...stage, clientCertificateId: clientCertificateId === '' ? null : clientCertificateId },
    { resources: [resource], methods: [withoutGuards(method)] },
  );
  return { snapshot: encodeSnapshot(open(snapshot)), resource, integration: method.integration };
}

export interface AuthorizerDraftRequest {
  readonly apiId: string;
  readonly authorizerId: string;
  readonly stageVariables: TextMap | undefined;
  /** Context variables, by name without `context.`. */
  readonly additionalContext: TextMap;
}

/** Throws NotFound for what is not there. */
export async function compileAuthorizerDraft(
  tx: TenantRepositories,
  { apiId, authorizerId, stageVariables, additionalContext }: AuthorizerDraftRequest,
  nowMs: number,
): Promise<Uint8Array> {
  const [api, authorizer] = [await tx.restApis.find(apiId), await tx.authorizers.find({ apiId, id: authorizerId })];
  if (api === null || authorizer === null) throw unknownAuthorizer();
  const stage = await testStage(tx, apiId, AUTHORIZER_TEST_STAGE, stageVariables, nowMs);
  const snapshot = await compileTest(tx, api, stage, { resources: [], methods: [] });
  const compiled = withContext(compileAuthorizer(authorizer, stage.variables ?? {}, tx.tenant), additionalContext);
  return encodeSnapshot({ ...snapshot, authorizers: { [authorizerId]: compiled } });
}

/** Context variables that the test gives a value take the place of those of the node. */
function withContext(authorizer: AuthorizerSnapshot, context: TextMap): AuthorizerSnapshot {
  if (authorizer.type === 'REFUSE' || authorizer.type === 'USER_POOLS') return authorizer;
  const identitySources = authorizer.identitySources.map((source) => {
    const name = source.startsWith('context.') ? source.slice('context.'.length) : '';
    return Object.hasOwn(context, name) ? `'${context[name]!}'` : source;
  });
  return { ...authorizer, identitySources };
}

async function testStage(
  tx: TenantRepositories,
  apiId: string,
  name: string,
  variables: TextMap | undefined,
  nowMs: number,
): Promise<Stage> {
  return newStage(apiId, name, name, variables === undefined ? {} : { variables }, nowMs, await tx.quotas.read());
}

async function compileTest(
  tx: TenantRepositories,
  api: RestApi,
  stage: Stage,
  parts: Pick<RestApiDefinition, 'resources' | 'methods'>,
): Promise<StageSnapshot> {
  const { payloadBytes } = await tx.quotas.read();
  const definition: RestApiDefinition = {
    formatVersion: 1,
    // A test comes from nowhere and is nobody.
    api: { ...api, policy: null, endpointConfiguration: { ...api.endpointConfiguration, types: ['REGIONAL'] } },
    ...parts,
    parts: {
      models: await tx.models.ofApi(api.id),
      requestValidators: await tx.requestValidators.ofApi(api.id),
      authorizers: [],
      gatewayResponses: await tx.gatewayResponses.ofApi(api.id),
    },
  };
  const vpcLinks = await vpcLinksFor(tx, [definition]);
  return compileStage({
    tenant: tx.tenant,
    definition,
    deploymentId: '',
    stage,
    account: await tx.account.read(),
    region: api.region,
    ...(payloadBytes !== AWS_QUOTAS.payloadBytes && { payloadBytesMax: payloadBytes }),
    ...(vpcLinks !== null && { vpcLinks }),
  }).snapshot;
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
