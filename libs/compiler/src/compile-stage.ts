/**
 * From a frozen deployment and its stage to what a node links. Pure and deterministic: equal input, whatever the order of its
 * lists and members, gives equal bytes. What the node cannot do is refused there and reported here, never ignored.
 */
import {
  SNAPSHOT_FORMAT,
  type GatewayResponseSnapshot,
  type RouteAuthorization,
  type RouteSnapshot,
  type StageSnapshot,
  type ThrottleSettings,
} from '@gatehouse/contracts';
import {
  type AccountSettings,
  type GatewayResponse,
  type Method,
  type MethodSetting,
  type Resource,
  type RestApiDefinition,
  type Stage,
} from '@gatehouse/domain';
import { canonicalJson } from '@gatehouse/kernel';
import { AuthorizerCompiler } from './authorizer.js';
import { canaryDifference, canaryWithTraffic, stageOfCanary } from './canary.js';
import { compileCaching, warnOfUnkeyedPath, type CacheSettings } from './caching.js';
import { compareText, Diagnostics, type Diagnostic } from './diagnostics.js';
import { compileExplain } from './explain.js';
import { compileIntegration, type VpcLinks } from './integration.js';
import { compileLogging, compileLogs } from './logs.js';
import { policyProblem, resourcePolicyOf } from './resource-policy.js';
import { compileTags, stageTagsOf } from './stage-tags.js';
import { ValidationCompiler } from './validation.js';

export interface StageInput {
  readonly tenant: string;
  readonly definition: RestApiDefinition;
  readonly deploymentId: string;
  readonly stage: Stage;
  readonly account: AccountSettings;
  readonly region: string;
  /** Of a caller's body; absent: as on AWS. */
  readonly payloadBytesMax?: number;
  /** The tenant's, by id; absent: there are none. */
  readonly vpcLinks?: VpcLinks;
  /** The deployment of the stage's canary; absent: the stage's own. */
  readonly canary?: { readonly deploymentId: string; readonly definition: RestApiDefinition };
}

export interface CompiledStage {
  readonly snapshot: StageSnapshot;
  /** By path, then message; those of the canary behind those of the stage's own deployment. */
  readonly diagnostics: readonly Diagnostic[];
}

/** What stands between a caller and a method. */
interface Guards {
  readonly validations: ValidationCompiler;
  readonly authorizers: AuthorizerCompiler;
  /** The API's resource policy has a say. */
  readonly hasPolicy: boolean;
  /** Callers come through VPC endpoints alone. */
  readonly isPrivate: boolean;
  /** The stage turns callers of some networks away. */
  readonly isFiltered: boolean;
}

/** The throttle of all methods of a stage; see control-plane reference §3.3. */
const ALL_METHODS = '*/*';
/** Of the parameters of a gateway response. */
const HEADER_PREFIX = 'gatewayresponse.header.';
/** Of a rate or burst limit: none at this level. */
const NO_LIMIT = -1;

export function compileStage(input: StageInput): CompiledStage {
  const own = compileDeployment(input);
  const settings = canaryWithTraffic(input.stage);
  if (settings === null) return own;
  const { snapshot, diagnostics } = compileDeployment({
    ...input,
    ...input.canary,
    stage: stageOfCanary(input.stage, settings),
  });
  return {
    snapshot: { ...own.snapshot, canary: canaryDifference(own.snapshot, snapshot, settings) },
    diagnostics: [...own.diagnostics, ...diagnostics.map((found) => ({ ...found, path: `canary: ${found.path}` }))],
  };
}

function compileDeployment(input: StageInput): CompiledStage {
  const { definition, stage } = input;
  const { api } = definition;
  const diagnostics = new Diagnostics();
  const tags = stageTagsOf(stage);
  const refusal = refusalOfAll(input, tags.problem, diagnostics);
  warnOfNoEffect(input, diagnostics);
  const resources = new Map(definition.resources.map((resource) => [resource.id, resource]));
  const guards: Guards = {
    validations: new ValidationCompiler(definition),
    authorizers: new AuthorizerCompiler(definition, stage.variables ?? {}, input.tenant),
    hasPolicy: resourcePolicyOf(api) !== null,
    isPrivate: api.endpointConfiguration.types.includes('PRIVATE'),
    isFiltered: tags.said.blockedNetworks.length > 0,
  };
  const routes: RouteSnapshot[] = [];
  for (const method of definition.methods) {
    const resource = resources.get(method.resourceId);
    if (resource === undefined)
      diagnostics.error(`resource ${method.resourceId}`, `${method.httpMethod} belongs to a resource that is not there`);
    else routes.push(compileRoute(input, resource, method, refusal, guards, diagnostics));
  }
  routes.sort((a, b) => compareText(a.path, b.path) || compareText(a.httpMethod, b.httpMethod));
  warnOfUnusedMethodSettings(stage, routes, diagnostics);
  const models = guards.validations.modelsFor(
    routes.flatMap(({ authorization }) => (authorization.type === 'VALIDATE' ? [authorization.validation] : [])),
  );
  const authorizers = guards.authorizers.snapshots;
  const policy = refusal === null ? resourcePolicyOf(api) : null;
  const explain = compileExplain(api, stage, diagnostics);
  return {
    snapshot: {
      format: SNAPSHOT_FORMAT,
      tenant: input.tenant,
      region: input.region,
      apiId: api.id,
      apiName: api.name,
      stage: stage.stageName,
      deploymentId: input.deploymentId,
      stageVariables: { ...stage.variables },
      apiKeySource: api.apiKeySource,
      binaryMediaTypes: [...new Set(api.binaryMediaTypes)].sort(compareText),
      disableExecuteApiEndpoint: api.disableExecuteApiEndpoint,
      accountThrottle: throttleOf(input.account.throttle.ratePerSecond, input.account.throttle.burst),
      routes,
      gatewayResponses: (definition.parts?.gatewayResponses ?? [])
        .map(compileGatewayResponse)
        .sort((a, b) => compareText(a.responseType, b.responseType)),
      ...(models === undefined ? {} : { models }),
      ...(policy !== null && { resourcePolicy: policy }),
      ...(authorizers === undefined ? {} : { authorizers }),
      ...(stage.cacheEpochs !== undefined && { cacheEpochs: stage.cacheEpochs }),
      ...(input.payloadBytesMax !== undefined && { payloadBytesMax: input.payloadBytesMax }),
      ...compileLogs(input, routes),
      ...(explain !== undefined && { explain }),
      ...compileTags(tags.said, guards.isPrivate, refusal === null),
      ...(api.minimumCompressionSize !== null && { minimumCompressionSize: api.minimumCompressionSize }),
      ...(routes.some(({ caching }) => caching !== undefined) && { cacheGigabytes: Number(stage.cacheClusterSize ?? '0.5') }),
    },
    diagnostics: diagnostics.sorted(),
  };
}

/** The bytes a snapshot is stored, sent and named by: canonical JSON, UTF-8. */
export function encodeSnapshot(snapshot: StageSnapshot): Uint8Array {
  return new TextEncoder().encode(canonicalJson(snapshot));
}

function compileRoute(
  { tenant, definition, stage, vpcLinks = {} }: StageInput,
  resource: Resource,
  method: Method,
  refusal: string | null,
  guards: Guards,
  diagnostics: Diagnostics,
): RouteSnapshot {
  const path = `${resource.path} ${method.httpMethod}`;
  const authorization = compileAuthorization(path, method, guards, diagnostics);
  const settings = settingsOf(stage, resource.path, method.httpMethod);
  const integration = compileIntegration(
    path,
    method.integration,
    {
      tenant,
      variables: stage.variables ?? {},
      hasBinaryMediaTypes: definition.api.binaryMediaTypes.length > 0,
      clientCertificateId: stage.clientCertificateId,
      isEdge: definition.api.endpointConfiguration.types.includes('EDGE'),
      vpcLinks,
    },
    diagnostics,
  );
  const caching = integration.type === 'REFUSE' ? undefined : compileCaching(path, stage, method, settings, diagnostics);
  warnOfUnkeyedPath(path, caching, diagnostics);
  return {
    resourceId: resource.id,
    path: resource.path,
    httpMethod: method.httpMethod,
    operationName: method.operationName,
    apiKeyRequired: method.apiKeyRequired,
    authorization: refusal === null ? authorization : { type: 'REFUSE', reason: refusal },
    throttle: methodThrottle(settings.setting),
    ...compileLogging(settings.setting),
    integration,
    ...(caching !== undefined && { caching }),
  };
}

function compileGatewayResponse({
  id,
  statusCode,
  responseParameters,
  responseTemplates,
}: GatewayResponse): GatewayResponseSnapshot {
  const headers = Object.entries(responseParameters ?? {}).map(([name, value]) => [name.slice(HEADER_PREFIX.length), value]);
  return {
    responseType: id,
    statusCode: statusCode === null ? null : Number(statusCode),
    headers: Object.fromEntries(headers) as Readonly<Record<string, string>>,
    templates: responseTemplates ?? {},
  };
}

function compileAuthorization(path: string, method: Method, guards: Guards, diagnostics: Diagnostics): RouteAuthorization {
  const reasons: string[] = [];
  const refuse = (place: string, reason: string): void => {
    diagnostics.warning(`${path} ${place}`, `${reason}; requests are refused`);
    reasons.push(reason);
  };
  const admission = compileAdmission(method, guards, refuse);
  const compiled = guards.validations.compile(method);
  if ('refusal' in compiled) refuse('requestValidatorId', compiled.refusal);
  if ('refusal' in compiled || reasons.length > 0) return { type: 'REFUSE', reason: reasons[0]! };
  const { validation } = compiled;
  const judged: RouteAuthorization = guards.hasPolicy ? { type: 'RESOURCE_POLICY', authorization: admission } : admission;
  const placed: RouteAuthorization = guards.isPrivate ? { type: 'PRIVATE', authorization: judged } : judged;
  const filtered: RouteAuthorization = guards.isFiltered ? { type: 'FILTERED', authorization: placed } : placed;
  return validation === null ? filtered : { type: 'VALIDATE', validation, authorization: filtered };
}

/** Who is let in. */
function compileAdmission(
  { authorizationType, authorizerId, authorizationScopes: scopes }: Method,
  { authorizers }: Guards,
  refuse: (place: string, reason: string) => void,
): RouteAuthorization {
  const isPool = authorizationType === 'COGNITO_USER_POOLS';
  if (authorizationType === 'CUSTOM' || isPool) {
    const compiled = authorizers.compile(authorizerId, isPool);
    if ('refusal' in compiled) refuse('authorizerId', compiled.refusal);
    else if (isPool) return { type: 'USER_POOLS', ...compiled, scopes: [...scopes].sort(compareText) };
    else return { type: 'FUNCTION', ...compiled };
  } else if (authorizationType === 'AWS_IAM') return { type: 'IAM' };
  else if (authorizationType !== 'NONE') refuse('authorizationType', `authorization type ${authorizationType} is not served`);
  else if (authorizerId !== null) refuse('authorizerId', 'the method has an authorizer and does not ask it');
  return { type: 'NONE' };
}

/** Why no route of the stage may be served; `null` when there is no such reason. */
function refusalOfAll(
  { definition: { api }, stage }: StageInput,
  tagProblem: string | null,
  diagnostics: Diagnostics,
): string | null {
  const reasons: string[] = [];
  const refuse = (path: string, reason: string): void => {
    diagnostics.warning(path, `${reason}; all requests are refused`);
    reasons.push(reason);
  };
  const problem = policyProblem(api);
  if (problem !== null) refuse('api.policy', `the resource policy is not understood: ${problem}`);
  if (tagProblem !== null) refuse('stage.tags', tagProblem);
  if (stage.webAclArn !== null) refuse('stage.webAclArn', 'web ACLs are not served');
  return reasons[0] ?? null;
}

/** Settings that change no answer when they are absent: named, so that nobody waits for their effect. */
function warnOfNoEffect({ stage }: StageInput, diagnostics: Diagnostics): void {
  const warn = (path: string): void => diagnostics.warning(path, 'has no effect');
  if (stage.tracingEnabled) warn('stage.tracingEnabled');
  const { format = null, destinationArn = null } = stage.accessLogSettings ?? {};
  if ((format === null) !== (destinationArn === null)) warn('stage.accessLogSettings');
}

/** A method's own entry, else that of all methods. */
function settingsOf({ methodSettings }: Stage, path: string, httpMethod: string): CacheSettings {
  const own = entry(methodSettings, settingKey(path, httpMethod));
  return { setting: own ?? entry(methodSettings, ALL_METHODS), isOwn: own !== undefined };
}

/** An own entry without a limit is not replaced by that of all methods. */
function methodThrottle(setting: MethodSetting | undefined): ThrottleSettings | null {
  return setting === undefined ? null : throttleOf(setting.throttlingRateLimit, setting.throttlingBurstLimit);
}

function warnOfUnusedMethodSettings(stage: Stage, routes: readonly RouteSnapshot[], diagnostics: Diagnostics): void {
  const used = new Set([ALL_METHODS, ...routes.map((route) => settingKey(route.path, route.httpMethod))]);
  for (const key of Object.keys(stage.methodSettings)) {
    if (!used.has(key)) diagnostics.warning(`stage.methodSettings.${key}`, 'the deployment has no such method');
  }
}

/** `pets/{id}/GET`; for the root `/GET`. */
function settingKey(path: string, httpMethod: string): string {
  return path === '/' ? `/${httpMethod}` : `${path.slice(1)}/${httpMethod}`;
}

/** A bucket without a rate or without a size never runs dry. */
function throttleOf(ratePerSecond: number, burst: number): ThrottleSettings | null {
  return ratePerSecond === NO_LIMIT || burst === NO_LIMIT ? null : { ratePerSecond, burst };
}

function entry<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
