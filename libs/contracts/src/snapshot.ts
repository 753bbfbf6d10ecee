/**
 * What the compiler writes and a node links: one stage, frozen, named by the SHA-256 of its canonical JSON.
 * Writers send only a format the node announced; readers ignore members they do not know, so what must not be ignored is a new `type`
 * of a union, which an older node refuses, or a new format (ADR 0010).
 */
export const SNAPSHOT_FORMAT = 1;

/** Formats a node links. A release that writes a new one comes after one that links it. */
export const LINKED_SNAPSHOT_FORMATS: readonly number[] = [SNAPSHOT_FORMAT];

export interface StageSnapshot {
  readonly format: typeof SNAPSHOT_FORMAT;
  /** Account id of the owner, 12 digits. */
  readonly tenant: string;
  readonly region: string;
  readonly apiId: string;
  readonly apiName: string;
  readonly stage: string;
  readonly deploymentId: string;
  readonly stageVariables: Readonly<Record<string, string>>;
  readonly apiKeySource: 'HEADER' | 'AUTHORIZER';
  /** Media types whose bodies are binary, e.g. `image/png`, `*\/*`. */
  readonly binaryMediaTypes: readonly string[];
  /** The execute-api host answers 403 for this API. */
  readonly disableExecuteApiEndpoint: boolean;
  /** Shared by every stage of the tenant on this node; `null` for none. */
  readonly accountThrottle: ThrottleSettings | null;
  /** In no particular order of precedence: the router decides. Sorted by path, then method. */
  readonly routes: readonly RouteSnapshot[];
  /** Customised gateway responses; a type without an entry has its default. */
  readonly gatewayResponses: readonly GatewayResponseSnapshot[];
  /** Draft-04 schemas (JSON text) that routes check bodies against, and those they refer to, by name. Absent: none. */
  readonly models?: Readonly<Record<string, string>>;
  /** JSON text of what routes with the authorization `RESOURCE_POLICY` are judged by. Absent: none. */
  readonly resourcePolicy?: string;
  /** What routes with the authorization `FUNCTION` ask, by id. Absent: none. */
  readonly authorizers?: Readonly<Record<string, AuthorizerSnapshot>>;
  /**
   * Counts the flushes of the stage's caches; absent: none yet. What was kept under another number is not to be used: it is a part of
   * the keys of responses and of decisions of authorizers.
   */
  readonly cacheEpochs?: { readonly responses: number; readonly authorizers: number };
  /** Of a caller's body. Absent: 10 MiB, as on AWS; a node of an earlier release takes no more. */
  readonly payloadBytesMax?: number;
  /** Size of the stage's cache of responses, as its owner chose it. Absent: there is none. */
  readonly cacheGigabytes?: number;
  /**
   * What its owner wants recorded of its requests (docs/explain.md). Absent: as the node does; a node of an earlier release records
   * nothing.
   */
  readonly explain?: {
    /** One successful request in so many is recorded whole; 0 for none, 1 for all. */
    readonly sampleEvery?: number;
    /** Hidden besides those that nodes hide of everybody. */
    readonly secretNames?: readonly string[];
  };
  /** Absent: callers are told of their limits (docs/limits.md). A node of an earlier release tells nobody. */
  readonly limitHeaders?: false;
  /**
   * Networks and addresses whose callers get WAF_FILTERED before anything else is looked at. Absent: none. Every route of such a stage has the
   * authorization FILTERED, so that a node which does not know of it serves none.
   */
  readonly blockedNetworks?: readonly string[];
  /**
   * Whoever asks for what is not there, and may call the API at all, gets RESOURCE_NOT_FOUND: `resourcePolicy` admits him, and of a private API
   * he comes through a VPC endpoint. Absent: MISSING_AUTHENTICATION_TOKEN, as from a node of an earlier release in any case.
   */
  readonly notFound?: { readonly isPrivate: boolean };
  /**
   * Answers of so many bytes and more are compressed for callers who ask for it. Absent: none is. Without it the same answers come as they
   * are, so a node of an earlier release may ignore it.
   */
  readonly minimumCompressionSize?: number;
  /**
   * Serves a share of the requests. A node of an earlier release does not know of it and serves all by the deployment around it, which
   * is the one that the stage's owner trusts already (ADR 0010).
   */
  readonly canary?: CanarySnapshot;
  /** A line of each request; absent: none. A node of an earlier release writes none either. */
  readonly accessLog?: AccessLogSnapshot;
  /** Where routes with `logging` write. Absent: no route has it. */
  readonly executionLog?: LogGroupSnapshot;
}

/**
 * A canary's own snapshot, as far as it differs from the one around it: the blob grows by what the canary changes, and one publication
 * carries both deployments and the share.
 */
export interface CanarySnapshot {
  /** Above 0, at most 100. */
  readonly percentTraffic: number;
  /** Whether responses that are kept for the one deployment may answer for the other, which they may only while both are the same. */
  readonly useStageCache: boolean;
  /** What it has else than the snapshot around it, or what that has not. */
  readonly members: Partial<Omit<StageSnapshot, 'routes' | 'canary'>>;
  /** Names of members that it has not. */
  readonly absent: readonly string[];
  /** All of its routes; a number is the index of one around it that is the same. */
  readonly routes: readonly (RouteSnapshot | number)[];
}

/** A log group, and what leads there. */
export interface LogGroupSnapshot {
  /** Of a log group or a delivery stream; names a place at the node, and may be any text. */
  readonly arn: string;
  /** Takes the lines as JSON by POST. Absent: the node's own place for log groups does. */
  readonly url?: string;
}

export interface AccessLogSnapshot extends LogGroupSnapshot {
  /** Text with `$context` variables. */
  readonly format: string;
}

/** Token bucket: refill per second (may be fractional) and capacity. */
export interface ThrottleSettings {
  readonly ratePerSecond: number;
  readonly burst: number;
}

export interface GatewayResponseSnapshot {
  /** E.g. `THROTTLED`, `DEFAULT_4XX`. */
  readonly responseType: string;
  /** `null` keeps the default status. */
  readonly statusCode: number | null;
  /** Header name to quoted static text (`'x'`) or a mapping expression. */
  readonly headers: Readonly<Record<string, string>>;
  /** Media type to template; empty keeps the default. */
  readonly templates: Readonly<Record<string, string>>;
}

/** One method of one resource. */
export interface RouteSnapshot {
  readonly resourceId: string;
  /** Path template from the root, e.g. `/pets/{id}` or `/{proxy+}`. */
  readonly path: string;
  /** Upper-case verb, or `ANY`. */
  readonly httpMethod: string;
  readonly operationName: string | null;
  readonly apiKeyRequired: boolean;
  readonly authorization: RouteAuthorization;
  /** Method throttle of the stage (its own entry, else that of all methods); `null` for none. */
  readonly throttle: ThrottleSettings | null;
  readonly integration: IntegrationSnapshot;
  /** Its execution log; absent: none. A node of an earlier release writes none either. */
  readonly logging?: RouteLogging;
  /** Absent: responses are not cached. A node of an earlier release asks the backend each time. */
  readonly caching?: RouteCaching;
}

/** How responses of a route are kept (data-plane reference §9). */
export interface RouteCaching {
  /** Routes of a stage with the same one share what they keep. */
  readonly namespace: string;
  /** Expressions whose values tell requests apart: `method.request.querystring.x`. Sorted. */
  readonly keyParameters: readonly string[];
  /** 1 to 3600. */
  readonly ttlSeconds: number;
  /** Who may have an entry replaced with `Cache-Control: max-age=0`: anybody; or else what others get who ask for it. */
  readonly invalidation: 'ANYBODY' | 'FAIL_WITH_403' | 'SUCCEED_WITH_RESPONSE_HEADER' | 'SUCCEED_WITHOUT_RESPONSE_HEADER';
}

export interface RouteLogging {
  /** `ERROR`: of requests that failed alone. */
  readonly level: 'ERROR' | 'INFO';
  /** Bodies are in it, too. */
  readonly hasDataTrace: boolean;
}

/** `REFUSE` is what the compiler writes for anything it cannot express: the node denies every request. */
export type RouteAuthorization =
  | { readonly type: 'NONE' }
  | { readonly type: 'REFUSE'; readonly reason: string }
  | FunctionAuthorization
  | UserPoolAuthorization
  | SignedAuthorization
  | PolicyAuthorization
  | PrivateAuthorization
  | FilteredAuthorization
  | ValidatedAuthorization;

/** Admits what one of the stage's `authorizers` admits. */
export interface FunctionAuthorization {
  readonly type: 'FUNCTION';
  readonly authorizerId: string;
}

/** Admits who has a token of one of the issuers of an authorizer of the stage. */
export interface UserPoolAuthorization {
  readonly type: 'USER_POOLS';
  readonly authorizerId: string;
  /** One of them is needed, in an access token; none: an ID token is. */
  readonly scopes: readonly string[];
}

/** Admits who signed the request (SigV4, service `execute-api`) and may call the method by the policy of its principal. */
export interface SignedAuthorization {
  readonly type: 'IAM';
}

/**
 * Admits what the stage's `resourcePolicy` and `authorization` admit together. Here and not in a member of the route, because a node that
 * does not know of it must not serve the route.
 */
export interface PolicyAuthorization {
  readonly type: 'RESOURCE_POLICY';
  readonly authorization: RouteAuthorization;
}

/** Admits what `authorization` admits of callers that come through a VPC endpoint; nobody when the stage has no `resourcePolicy`. */
export interface PrivateAuthorization {
  readonly type: 'PRIVATE';
  readonly authorization: RouteAuthorization;
}

/** Admits what `authorization` admits of callers that the stage's `blockedNetworks` left over. */
export interface FilteredAuthorization {
  readonly type: 'FILTERED';
  readonly authorization: RouteAuthorization;
}

/** Whether callers of a route sign their requests. */
export function isSigned(authorization: RouteAuthorization): boolean {
  return authorization.type === 'IAM' || ('authorization' in authorization && isSigned(authorization.authorization));
}

/** `REFUSE` is one that cannot be asked: it admits nobody. */
export type AuthorizerSnapshot =
  | FunctionAuthorizerSnapshot
  | UserPoolAuthorizerSnapshot
  | { readonly type: 'REFUSE'; readonly reason: string };

/** Cognito user pools, and other OpenID Connect issuers. */
export interface UserPoolAuthorizerSnapshot {
  readonly type: 'USER_POOLS';
  /** As tokens name them: `https://...`. */
  readonly issuers: readonly string[];
  /** `method.request.header.Authorization`. */
  readonly identitySource: string;
  /** Regular expression over a whole audience; `null` for any. */
  readonly validationExpression: string | null;
  /** How long a token that was checked may be kept; 0 for not at all. */
  readonly ttlSeconds: number;
}

/** A Lambda authorizer. */
export interface FunctionAuthorizerSnapshot {
  readonly type: 'TOKEN' | 'REQUEST';
  /** Stage variables in place. */
  readonly functionArn: string;
  /** `method.request.header.Authorization`, in the order that names a cached decision; of a TOKEN authorizer one. May be empty. */
  readonly identitySources: readonly string[];
  /** Regular expression over the whole token; `null` for any. */
  readonly validationExpression: string | null;
  /** How long a decision may be kept; 0 for not at all. */
  readonly ttlSeconds: number;
  /**
   * Account id of the role the function is asked with. Absent: API Gateway asks it, as a node of an earlier release does in any case; a
   * function that does not let it in admits nobody.
   */
  readonly account?: string;
}

/**
 * Admits what `authorization` admits, if the request is a valid one too. Here and not in a member of the route, because a node that does
 * not know of it must not serve the route.
 */
export interface ValidatedAuthorization {
  readonly type: 'VALIDATE';
  readonly validation: RequestValidation;
  readonly authorization: RouteAuthorization;
}

/** What is checked of a request once it is let in; not both are empty. */
export interface RequestValidation {
  /** `method.request.header.X`, in the order a caller is told of them. */
  readonly requiredParameters: readonly string[];
  /**
   * Media type, or `$default` for all that are not listed, to the name of a model in the stage's `models`; of one with `null`, any body
   * is taken. `null` for all: bodies are not checked.
   */
  readonly bodyModels: Readonly<Record<string, string | null>> | null;
}

export type PassthroughBehavior = 'WHEN_NO_MATCH' | 'WHEN_NO_TEMPLATES' | 'NEVER';

/** Media type to text. Literal text the node can send as it is, but within a `VELOCITY` integration, where it is to be rendered. */
export type StaticTemplates = Readonly<Record<string, string>>;

export type IntegrationSnapshot =
  | MockIntegrationSnapshot
  | HttpIntegrationSnapshot
  | HttpProxyIntegrationSnapshot
  | FunctionProxyIntegrationSnapshot
  | StreamedFunctionIntegrationSnapshot
  | RoleIntegrationSnapshot
  | FunctionIntegrationSnapshot
  | ServiceIntegrationSnapshot
  | VelocityIntegrationSnapshot
  | ConvertedIntegrationSnapshot
  | ConnectedIntegrationSnapshot
  | { readonly type: 'REFUSE'; readonly reason: string };

export interface MockIntegrationSnapshot {
  readonly type: 'MOCK';
  readonly passthroughBehavior: PassthroughBehavior;
  readonly requestTemplates: StaticTemplates;
  readonly responses: readonly IntegrationResponseSnapshot[];
}

/**
 * Templates of the integration are Velocity. Around it and not a member of it, because a node that does not know of it would send the
 * templates as they stand.
 */
export interface VelocityIntegrationSnapshot {
  readonly type: 'VELOCITY';
  readonly integration:
    | MockIntegrationSnapshot
    | HttpIntegrationSnapshot
    | FunctionIntegrationSnapshot
    | ServiceIntegrationSnapshot;
}

export type ContentHandling = 'CONVERT_TO_BINARY' | 'CONVERT_TO_TEXT';

/**
 * Payloads are converted as `contentHandling` says, here and in the responses of the integration. Around it, because a node that does not
 * know of it would hand them on as they are.
 */
export interface ConvertedIntegrationSnapshot {
  readonly type: 'CONVERT';
  /** Of requests; `null` for none. */
  readonly contentHandling: ContentHandling | null;
  readonly integration:
    | MockIntegrationSnapshot
    | HttpIntegrationSnapshot
    | HttpProxyIntegrationSnapshot
    | FunctionIntegrationSnapshot
    | ServiceIntegrationSnapshot
    | VelocityIntegrationSnapshot;
}

/**
 * Its backend is reached in a way of its own. Around it, because a node that does not know of it would go to another place, or show
 * nobody's certificate.
 */
export interface ConnectedIntegrationSnapshot {
  readonly type: 'CONNECT';
  /** Shown to a backend on TLS: names a CERTIFICATE entry (`clientCertificateEntryId`). `null`: none is. */
  readonly clientCertificateId: string | null;
  /** Where connections go in place of the address in the URI, which stays what the backend is called by. `null`: to that address. */
  readonly privateTargets: PrivateTargetsSnapshot | null;
  readonly integration:
    | HttpIntegrationSnapshot
    | HttpProxyIntegrationSnapshot
    | VelocityIntegrationSnapshot
    | ConvertedIntegrationSnapshot;
}

/** What a VPC link leads to. */
export interface PrivateTargetsSnapshot {
  readonly vpcLinkId: string;
  /** At least one. */
  readonly targets: readonly { readonly host: string; readonly port: number }[];
  /** The name in SNI, and the one that certificates are checked against; `null`: the one in the URI. */
  readonly tlsName: string | null;
  /** The operator said so: private and loopback addresses are open. Else the tenant's rules hold. */
  readonly isOperators: boolean;
}

interface UpstreamSettings {
  /** Stage variables are already in place; `{name}` remains where a path mapping fills it. */
  readonly uri: string;
  /** Upper-case verb, or `ANY` for the caller's. */
  readonly httpMethod: string;
  readonly timeoutMs: number;
  /** Destination (`integration.request.header.X`) to source expression (`method.request.path.id`, `'static'`). */
  readonly requestParameters: Readonly<Record<string, string>>;
  readonly insecureSkipVerification: boolean;
}

export interface HttpIntegrationSnapshot extends UpstreamSettings {
  readonly type: 'HTTP';
  readonly passthroughBehavior: PassthroughBehavior;
  readonly requestTemplates: StaticTemplates;
  readonly responses: readonly IntegrationResponseSnapshot[];
}

export interface HttpProxyIntegrationSnapshot extends UpstreamSettings {
  readonly type: 'HTTP_PROXY';
  /**
   * Its answers are handed on as they come and not converted, and end when the backend has said nothing for so long. Absent: an integration
   * that does not stream; a node that knows of no difference hands on as it comes, too.
   */
  readonly streamIdleMs?: number;
}

/** Lambda proxy whose function streams: metadata as JSON, eight zero bytes, body. */
export interface StreamedFunctionIntegrationSnapshot {
  readonly type: 'AWS_PROXY_STREAM';
  readonly httpMethod: string;
  readonly functionArn: string;
  /** To the end of the body. */
  readonly timeoutMs: number;
  /** Without a byte of the body. */
  readonly streamIdleMs: number;
}

/** Lambda proxy. */
export interface FunctionProxyIntegrationSnapshot {
  readonly type: 'AWS_PROXY';
  /** Verb towards the function; anything but POST answers 500, as on AWS. */
  readonly httpMethod: string;
  /** `arn:aws:lambda:{region}:{account}:function:{name}[:{qualifier}]`, stage variables in place. */
  readonly functionArn: string;
  readonly timeoutMs: number;
}

/**
 * A function that is called with a role of an account, so that it is not asked whether API Gateway may call it. Around it and not a member
 * of it, because a node that does not know of it would be turned away by the function.
 */
export interface RoleIntegrationSnapshot {
  readonly type: 'AS_ROLE';
  /** Account id of the role, 12 digits. */
  readonly account: string;
  readonly integration: FunctionProxyIntegrationSnapshot | StreamedFunctionIntegrationSnapshot;
}

/** `AWS` towards a function: the template's text is its event, and what it returns is mapped. */
export interface FunctionIntegrationSnapshot {
  readonly type: 'FUNCTION';
  /** Verb towards the function; anything but POST answers 500, as on AWS. */
  readonly httpMethod: string;
  /** As of a proxy. */
  readonly functionArn: string;
  /** Of the role it is called with; `null`: API Gateway calls it. */
  readonly account: string | null;
  readonly timeoutMs: number;
  readonly requestParameters: Readonly<Record<string, string>>;
  readonly passthroughBehavior: PassthroughBehavior;
  readonly requestTemplates: StaticTemplates;
  readonly responses: readonly IntegrationResponseSnapshot[];
}

/** `AWS` towards any other service, signed with the credentials of a role. Where it is, and the credentials, are a SERVICE_ACCESS entry. */
export interface ServiceIntegrationSnapshot {
  readonly type: 'SERVICE';
  readonly partition: string;
  readonly region: string;
  /** As AWS names the service's endpoint: `dynamodb`, `s3`, `sagemaker`. */
  readonly service: string;
  /** What stands before it: `{bucket}` of `{bucket}.s3`, `runtime` of `runtime.sagemaker`; `null` for nothing. */
  readonly subdomain: string | null;
  /** From the slash on, with a query if it has one; `{name}` remains where a path mapping fills it. */
  readonly path: string;
  /** `PutItem`; `null` for a request that the path alone names. */
  readonly action: string | null;
  /** Name of a role of the tenant's, with its path. */
  readonly role: string;
  /** Upper-case verb, or `ANY` for the caller's. */
  readonly httpMethod: string;
  readonly timeoutMs: number;
  readonly requestParameters: Readonly<Record<string, string>>;
  readonly passthroughBehavior: PassthroughBehavior;
  readonly requestTemplates: StaticTemplates;
  readonly responses: readonly IntegrationResponseSnapshot[];
}

export interface IntegrationResponseSnapshot {
  /** Status towards the caller. */
  readonly statusCode: number;
  /** Regular expression over the whole status text, or of a function over its error message; `null` for the default response. */
  readonly selectionPattern: string | null;
  /** `method.response.header.X` to source expression. */
  readonly responseParameters: Readonly<Record<string, string>>;
  readonly responseTemplates: StaticTemplates;
  /** Absent: none. Only within `CONVERT`. */
  readonly contentHandling?: ContentHandling;
}

/** Inline content of a USAGE_PLAN manifest entry. */
export interface UsagePlanEntry {
  readonly usagePlanId: string;
  readonly tenant: string;
  readonly throttle: ThrottleSettings | null;
  readonly quota: { readonly limit: number; readonly offset: number; readonly period: 'DAY' | 'WEEK' | 'MONTH' } | null;
  readonly apiStages: readonly {
    readonly apiId: string;
    readonly stage: string;
    /** `/pets/{id}/GET` (resource path, slash, verb) to its throttle. */
    readonly methodThrottles: Readonly<Record<string, ThrottleSettings>>;
  }[];
  /** Absent: FAST and OPEN. */
  readonly limits?: PlanLimits;
}

/** How exactly a plan's quota and throttles hold over all nodes, and what a node does without a lease book: docs/limits.md. */
export interface PlanLimits {
  readonly mode: 'FAST' | 'STRICT';
  readonly fallback: 'OPEN' | 'CLOSED';
}

/** Inline content of an API_KEY manifest entry. The value itself never leaves the control plane. */
export interface ApiKeyEntry {
  readonly apiKeyId: string;
  readonly tenant: string;
  /** Lower-case hex SHA-256 of the key's value. */
  readonly valueDigest: string;
  readonly enabled: boolean;
  readonly usagePlanIds: readonly string[];
}

/** Inline content of a DOMAIN_NAME manifest entry: a host of callers, and which stages answer on it. */
export interface DomainNameEntry {
  /** Lower case; `*.example.com` stands for one label. */
  readonly domainName: string;
  readonly tenant: string;
  /** Names a CERTIFICATE entry of the same tenant. */
  readonly certificateId: string;
  /** Of TLS, e.g. `TLS_1_2`. */
  readonly securityPolicy: string;
  /** The longest base path that the request's path starts with decides. */
  readonly mappings: readonly BasePathMappingEntry[];
}

export interface BasePathMappingEntry {
  /** Without slashes around it; may have several segments; empty for what no other mapping takes. */
  readonly basePath: string;
  readonly apiId: string;
  /** `null`: the first segment behind the base path names it. */
  readonly stage: string | null;
}

/** Of a stage's client certificate: an entry of the same kind as domain names', with a name that none of those can have. */
export const clientCertificateEntryId = (tenant: string, clientCertificateId: string): string =>
  `${tenant}:${clientCertificateName(clientCertificateId)}`;

/** Its `certificateId`. */
export const clientCertificateName = (clientCertificateId: string): string => `client/${clientCertificateId}`;

export const isClientCertificateEntryId = (entryId: string): boolean => /^\d{12}:client\//.test(entryId);

/** Inline content of a CERTIFICATE manifest entry; present while a domain name, or a stage towards its backends, uses it. */
export interface CertificateEntry {
  readonly certificateId: string;
  readonly tenant: string;
  /** PEM, leaf first. */
  readonly chainPem: string;
  /** PEM. */
  readonly privateKeyPem: string;
  /** Of its SANs, lower case; of a client certificate none. */
  readonly hostNames: readonly string[];
  /** Of a client certificate: the APIs whose stages show it, sorted. */
  readonly apiIds?: readonly string[];
  /** Milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Inline content of a SERVICE_ACCESS manifest entry: how a tenant's integrations reach AWS services. Present while a stage has such one. */
export interface ServiceAccessEntry {
  readonly tenant: string;
  /** By `s3`, or `runtime.sagemaker`; a service without an entry is where AWS has it. */
  readonly services: Readonly<Record<string, ServiceEndpointEntry>>;
  /** Those that stages use, by name with path. */
  readonly roles: Readonly<Record<string, RoleCredentialsEntry>>;
  /** Whose stages use it: where they are served, so is this. */
  readonly apiIds: readonly string[];
}

export interface ServiceEndpointEntry {
  /** `https://host:port`, and a path in front of all others if it has one; no slash at its end. */
  readonly endpoint: string;
  /** That signatures are for; `null` for that of the integration. */
  readonly region: string | null;
}

export interface RoleCredentialsEntry {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | null;
}

/** Inline content of an ACCESS_KEY manifest entry. The secret itself never leaves the control plane (ADR 0011). */
export interface AccessKeyEntry {
  readonly accessKeyId: string;
  readonly tenant: string;
  /** `arn:aws:iam::{account}:user/{name}` or `...:root`. */
  readonly principalArn: string;
  /** What `$context.identity.user` and `aws:userid` say of the principal. */
  readonly userId: string;
  /** JSON text of the principal's identity policy; `null`: it may do nothing, but for the root of an account. */
  readonly policy: string | null;
  /** `{yyyymmdd}/{region}` to the SigV4 signing key of that day and region for `execute-api`, in base64. */
  readonly signingKeys: Readonly<Record<string, string>>;
  /** Absent for a long-lived key. A node that does not know of sessions finds no signing keys, and refuses. */
  readonly session?: AccessKeySession;
}

/** What makes an access key a temporary one. */
export interface AccessKeySession {
  /** SHA-256 of the session token, in hex. */
  readonly tokenDigest: string;
  readonly expiresAtMs: number;
  /** Id of the access key that it was asked for with; the session is refused while that one is not there. */
  readonly madeBy: string;
  /** In place of those of the key, which are none. */
  readonly signingKeys: Readonly<Record<string, string>>;
}

/** Inline content of a FUNCTION manifest entry; its digest names the code package (zip). */
export interface FunctionEntry {
  readonly tenant: string;
  readonly region: string;
  readonly functionName: string;
  /** `$LATEST` or a number. */
  readonly version: string;
  readonly runtime: string;
  readonly handler: string;
  readonly timeoutMs: number;
  readonly memoryMb: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Alias names that point at this version. */
  readonly aliases: readonly string[];
  /** Aliases that send a part of their calls here and the rest to the version they point at: name to share, 0..1. */
  readonly weightedAliases: Readonly<Record<string, number>>;
  /** Calls running at once over all versions of the function; `null` for the runner's own limit. */
  readonly reservedConcurrency: number | null;
  /** Resource policy statements by qualifier; `''` holds those of the unqualified function. */
  readonly permissions: readonly FunctionPermission[];
  /** Base64 SHA-256 of the package, as Lambda shows it. */
  readonly codeSha256: string;
}

export interface FunctionPermission {
  readonly qualifier: string;
  readonly statementId: string;
  /** `lambda:InvokeFunction`. */
  readonly action: string;
  /** `apigateway.amazonaws.com`, an account id, an ARN, or `*`. */
  readonly principal: string;
  /** May hold `*` and `?`; `null` for any. */
  readonly sourceArn: string | null;
  readonly sourceAccount: string | null;
}
