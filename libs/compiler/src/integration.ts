/** One method's integration: what the node can do, or REFUSE with the reason. Nothing is left out silently. */
import type {
  ConnectedIntegrationSnapshot,
  ContentHandling,
  IntegrationResponseSnapshot,
  IntegrationSnapshot,
  PassthroughBehavior,
  PrivateTargetsSnapshot,
  StaticTemplates,
} from '@gatehouse/contracts';
import type { Integration, IntegrationResponse, PrivateTargets, TextMap } from '@gatehouse/domain';
import { unreachable } from '@gatehouse/kernel';
import { isLiteralTemplate, parseTemplate, VtlSyntaxError } from '@gatehouse/lang';
import { compareText, type Diagnostics } from './diagnostics.js';
import { readRole, type RoleName } from './role.js';
import { readServiceUri } from './service-uri.js';
import { endpointProblem, functionArnOf, resolveStageVariables, uriPlaceholders } from './uri.js';

export interface IntegrationSurroundings {
  readonly tenant: string;
  readonly variables: TextMap;
  readonly hasBinaryMediaTypes: boolean;
  readonly clientCertificateId: string | null;
  /** Callers come through an edge. */
  readonly isEdge: boolean;
  /** The tenant's VPC links, by id; what one leads to, or `null`. */
  readonly vpcLinks: VpcLinks;
}

export type VpcLinks = Readonly<Record<string, PrivateTargets | null>>;

/** Data-plane reference §3.5. */
const STREAM_IDLE_MS = 300_000;
const EDGE_STREAM_IDLE_MS = 30_000;
const STREAMLESS_PATH = '2015-03-31/functions/{function ARN}/invocations';
const STREAMING_PATH = '2021-11-15/functions/{function ARN}/response-streaming-invocations';

const HTTP_METHODS = new Set(['ANY', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT']);
const PASSTHROUGH: ReadonlySet<string> = new Set<PassthroughBehavior>(['WHEN_NO_MATCH', 'WHEN_NO_TEMPLATES', 'NEVER']);

/** `path` names the method for diagnostics, e.g. `/pets GET`. */
export function compileIntegration(
  path: string,
  integration: Integration | null,
  surroundings: IntegrationSurroundings,
  diagnostics: Diagnostics,
): IntegrationSnapshot {
  if (integration === null) {
    diagnostics.error(`${path} integration`, 'No integration defined for method');
    return { type: 'REFUSE', reason: 'No integration defined for method' };
  }
  return new IntegrationCompiler(`${path} integration`, integration, surroundings, diagnostics).compile();
}

class IntegrationCompiler {
  /** The first reason to refuse; every one is a diagnostic. */
  private refusal: string | null = null;
  private hasVelocity = false;
  private hasConvertedResponse = false;

  constructor(
    private readonly path: string,
    private readonly integration: Integration,
    private readonly surroundings: IntegrationSurroundings,
    private readonly diagnostics: Diagnostics,
  ) {}

  compile(): IntegrationSnapshot {
    const compiled = this.compileType();
    const isMapped =
      compiled.type === 'MOCK' || compiled.type === 'HTTP' || compiled.type === 'FUNCTION' || compiled.type === 'SERVICE';
    const whole = this.converted(isMapped && this.hasVelocity ? { type: 'VELOCITY', integration: compiled } : compiled);
    const reached = this.connected(whole);
    return this.refusal === null ? reached : { type: 'REFUSE', reason: this.refusal };
  }

  /** Proxies of functions convert by what the function says; integration responses of a proxy have no effect. */
  private converted(compiled: IntegrationSnapshot): IntegrationSnapshot {
    const { type } = compiled;
    if (
      type === 'REFUSE' ||
      type === 'AWS_PROXY' ||
      type === 'AWS_PROXY_STREAM' ||
      type === 'AS_ROLE' ||
      type === 'CONVERT' ||
      type === 'CONNECT'
    )
      return compiled;
    const contentHandling = this.conversion('contentHandling', this.integration.contentHandling);
    return contentHandling !== null || (type !== 'HTTP_PROXY' && this.hasConvertedResponse)
      ? { type: 'CONVERT', contentHandling, integration: compiled }
      : compiled;
  }

  /** Nobody is shown a certificate without TLS. */
  private connected(compiled: IntegrationSnapshot): IntegrationSnapshot {
    if (this.integration.type !== 'HTTP' && this.integration.type !== 'HTTP_PROXY') return compiled;
    const privateTargets = this.privateTargets();
    const isTls = /^https:/i.test(resolveStageVariables(this.integration.uri ?? '', this.surroundings.variables).text);
    const clientCertificateId = isTls ? this.surroundings.clientCertificateId : null;
    if (privateTargets === null && clientCertificateId === null) return compiled;
    const integration = compiled as ConnectedIntegrationSnapshot['integration'];
    return { type: 'CONNECT', clientCertificateId, privateTargets, integration };
  }

  private privateTargets(): PrivateTargetsSnapshot | null {
    if (this.integration.connectionType !== 'VPC_LINK') return null;
    const { variables, vpcLinks } = this.surroundings;
    const vpcLinkId = resolveStageVariables(this.integration.connectionId ?? '', variables).text;
    const mapped = Object.hasOwn(vpcLinks, vpcLinkId) ? vpcLinks[vpcLinkId] : undefined;
    if (mapped === undefined) this.refuse('connectionId', `there is no VPC link "${vpcLinkId}"`);
    else if (mapped === null)
      this.refuse('connectionId', `VPC link ${vpcLinkId} leads nowhere: PUT /admin/v1/vpc-links/${vpcLinkId}/targets says where`);
    else return { vpcLinkId, targets: sortedTargets(mapped), tlsName: mapped.tlsName, isOperators: mapped.isOperators };
    return null;
  }

  private compileType(): IntegrationSnapshot {
    const { type } = this.integration;
    switch (type) {
      case 'MOCK':
        return { type, ...this.templates() };
      case 'HTTP':
        return { type, ...this.upstream(), ...this.templates() };
      case 'HTTP_PROXY':
        // Templates and integration responses of a proxy have no effect on AWS either.
        return { type, ...this.upstream(), ...this.streaming() };
      case 'AWS_PROXY':
        return this.functionProxy();
      case 'AWS':
        return this.serviceCall();
      default:
        return unreachable(type);
    }
  }

  /** How long a stream may say nothing; `null`: it is none. */
  private streamIdleMs(): number | null {
    if (this.integration.responseTransferMode !== 'STREAM') return null;
    return this.surroundings.isEdge ? EDGE_STREAM_IDLE_MS : STREAM_IDLE_MS;
  }

  private functionProxy(): IntegrationSnapshot {
    const streamIdleMs = this.streamIdleMs();
    const functionArn = functionArnOf(this.uri(), streamIdleMs !== null);
    if (functionArn === null) {
      const path = streamIdleMs === null ? STREAMLESS_PATH : STREAMING_PATH;
      return this.refuse('uri', `expected arn:{partition}:apigateway:{region}:lambda:path/${path}`);
    }
    const call = { httpMethod: this.httpMethod(), functionArn, timeoutMs: this.integration.timeoutInMillis };
    const integration =
      streamIdleMs === null
        ? ({ type: 'AWS_PROXY', ...call } as const)
        : ({ type: 'AWS_PROXY_STREAM', ...call, streamIdleMs } as const);
    const role = this.role();
    return role === null ? integration : { type: 'AS_ROLE', account: role.account, integration };
  }

  private serviceCall(): IntegrationSnapshot {
    const { credentials, requestParameters, timeoutInMillis } = this.integration;
    const role = this.role();
    const uri = this.uri();
    const functionArn = functionArnOf(uri);
    const call = {
      httpMethod: this.httpMethod(),
      timeoutMs: timeoutInMillis,
      requestParameters: { ...requestParameters },
      ...this.templates(),
    };
    if (functionArn !== null) return { type: 'FUNCTION', functionArn, account: role?.account ?? null, ...call };
    const target = readServiceUri(uri);
    if (typeof target === 'string') return this.refuse('uri', target);
    for (const name of uriPlaceholders(`${target.subdomain ?? ''}${target.path}`)) this.checkFilled(name);
    if (credentials === null) this.refuse('credentials', 'Role ARN must be specified for AWS integrations');
    return { type: 'SERVICE', ...target, role: role?.name ?? '', ...call };
  }

  private checkFilled(placeholder: string): void {
    const { requestParameters } = this.integration;
    if (requestParameters === null || !Object.hasOwn(requestParameters, `integration.request.path.${placeholder}`)) {
      this.refuse('uri', `nothing fills {${placeholder}}: map integration.request.path.${placeholder}`);
    }
  }

  /** `null` for no credentials, or for some that cannot be used, which refuse the integration. */
  private role(): RoleName | null {
    const { credentials } = this.integration;
    if (credentials === null) return null;
    const role = readRole(resolveStageVariables(credentials, this.surroundings.variables).text, this.surroundings.tenant);
    if (typeof role !== 'string') return role;
    this.refuse('credentials', role);
    return null;
  }

  private streaming(): { readonly streamIdleMs?: number } {
    const streamIdleMs = this.streamIdleMs();
    return streamIdleMs === null ? {} : { streamIdleMs };
  }

  private upstream() {
    const { connectionType, integrationTarget, requestParameters, timeoutInMillis, tlsConfig } = this.integration;
    if (connectionType !== null && connectionType !== 'INTERNET' && connectionType !== 'VPC_LINK')
      this.refuse('connectionType', `${connectionType} is not served`);
    if (integrationTarget !== null) this.refuse('integrationTarget', 'private integrations are not served');
    const uri = this.uri();
    const problem = endpointProblem(uri);
    if (problem !== null) this.refuse('uri', `Invalid endpoint address: ${problem}`);
    for (const name of uriPlaceholders(uri)) this.checkFilled(name);
    return {
      uri,
      httpMethod: this.httpMethod(),
      timeoutMs: timeoutInMillis,
      requestParameters: { ...requestParameters },
      insecureSkipVerification: tlsConfig?.insecureSkipVerification ?? false,
    };
  }

  private templates() {
    const { passthroughBehavior, requestTemplates, integrationResponses } = this.integration;
    if (!PASSTHROUGH.has(passthroughBehavior)) this.refuse('passthroughBehavior', `"${passthroughBehavior}" is not known`);
    return {
      passthroughBehavior: passthroughBehavior as PassthroughBehavior,
      requestTemplates: this.compileTemplates('requestTemplates', requestTemplates),
      // Several patterns may match one answer; AWS's order among them is not documented, ours is by status: status codes are
      // integer keys, which objects give in ascending order.
      responses: Object.values(integrationResponses).map((response) => this.response(response)),
    };
  }

  private response(response: IntegrationResponse): IntegrationResponseSnapshot {
    const place = `responses.${response.statusCode}`;
    if (!/^[1-5]\d\d$/.test(response.statusCode)) this.refuse(place, `"${response.statusCode}" is not a status code`);
    const contentHandling = this.conversion(`${place}.contentHandling`, response.contentHandling);
    if (contentHandling !== null) this.hasConvertedResponse = true;
    return {
      statusCode: Number(response.statusCode),
      selectionPattern: response.selectionPattern === '' ? null : response.selectionPattern,
      responseParameters: { ...response.responseParameters },
      responseTemplates: this.compileTemplates(`${place}.responseTemplates`, response.responseTemplates),
      ...(contentHandling !== null && { contentHandling }),
    };
  }

  private compileTemplates(place: string, templates: Readonly<Record<string, string | null>> | null): StaticTemplates {
    const entries = Object.entries(templates ?? {}).map(([mediaType, template]) => [mediaType, template ?? ''] as const);
    for (const [mediaType, template] of entries) {
      if (isLiteralTemplate(template)) continue;
      this.hasVelocity = true;
      this.checkVelocity(`${place}.${mediaType}`, template);
    }
    return Object.fromEntries(entries);
  }

  /** Written before templates were checked, it may not parse. How long it may be was decided when it was written. */
  private checkVelocity(place: string, template: string): void {
    try {
      parseTemplate(template, Number.POSITIVE_INFINITY);
    } catch (cause) {
      if (!(cause instanceof VtlSyntaxError)) throw cause;
      this.refuse(place, cause.message);
    }
  }

  /** Without binary media types every payload is text already, so CONVERT_TO_TEXT changes nothing (data-plane reference §3.10). */
  private conversion(place: string, contentHandling: string | null): ContentHandling | null {
    if (contentHandling === null) return null;
    if (contentHandling === 'CONVERT_TO_TEXT') return this.surroundings.hasBinaryMediaTypes ? contentHandling : null;
    if (contentHandling !== 'CONVERT_TO_BINARY') this.refuse(place, `"${contentHandling}" is not known`);
    return 'CONVERT_TO_BINARY';
  }

  private uri(): string {
    const { text, missing } = resolveStageVariables(this.integration.uri ?? '', this.surroundings.variables);
    for (const name of missing)
      this.diagnostics.warning(`${this.path}.uri`, `stage variable "${name}" is not set and counts as empty`);
    return text;
  }

  private httpMethod(): string {
    const { httpMethod } = this.integration;
    if (httpMethod === null || !HTTP_METHODS.has(httpMethod)) {
      this.refuse('httpMethod', `"${httpMethod ?? ''}" is not a verb towards a backend`);
      return '';
    }
    return httpMethod;
  }

  private refuse(place: string, reason: string): IntegrationSnapshot {
    this.diagnostics.warning(`${this.path}.${place}`, `${reason}; requests are refused`);
    this.refusal ??= `${place}: ${reason}`;
    return { type: 'REFUSE', reason: this.refusal };
  }
}

const sortedTargets = ({ targets }: PrivateTargets): PrivateTargets['targets'] =>
  [...targets].sort((a, b) => compareText(a.host, b.host) || a.port - b.port);
