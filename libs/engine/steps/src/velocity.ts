/**
 * Mapping templates with Velocity in them, given what they may see of an exchange (data-plane reference §5). Compiled at their first
 * use: a route that nobody calls keeps only the text.
 */
import type { StaticTemplates } from '@gatehouse/contracts';
import {
  authorizerVariables,
  contextVariable,
  queryValues,
  rawPathParam,
  TemplateFailure,
  type ContextVariable,
  type Exchange,
} from '@gatehouse/engine-exchange';
import {
  isLiteralTemplate,
  MappingTemplate,
  VtlRenderError,
  VtlSyntaxError,
  type Rendered,
  type RequestParameters,
  VariableGroup,
  type VariableTree,
} from '@gatehouse/lang';

export class VelocityTemplate {
  /** Whether the body must be there before it is rendered. By the text, which says more often yes than the template does. */
  readonly readsBody: boolean;
  private compiled: MappingTemplate | null = null;

  /** `name`: the media type it is registered for. */
  constructor(
    private readonly text: string,
    private readonly name = '',
  ) {
    this.readsBody = text.includes('input') || text.includes('evaluate');
  }

  /** A failure names template, line and column; it is the owner's, not a bug. */
  render(x: Exchange, body: Buffer | null, half: 'request' | 'response'): Rendered | TemplateFailure {
    try {
      this.compiled ??= MappingTemplate.compile(this.text, Number.POSITIVE_INFINITY);
      const rendered = this.compiled.render({
        body: body ?? '',
        parameters: new ExchangeParameters(x),
        context: (name) => contextValue(x, name),
        stageVariables: x.stage!.snapshot.stageVariables,
      });
      x.journal?.note({ type: 'TEMPLATE_RENDERED', half, name: this.name, input: body, output: rendered.text });
      return rendered;
    } catch (cause) {
      if (cause instanceof VtlRenderError || cause instanceof VtlSyntaxError)
        return new TemplateFailure(half, this.name, cause, body);
      throw cause;
    }
  }
}

export type BodyTemplate = Buffer | VelocityTemplate;

const literal = (text: string): Buffer => Buffer.from(text, 'utf8');

/** How the templates of an integration are prepared: as they stand, or as Velocity where they are. */
export function bodyTemplates(isVelocity: boolean): (text: string, type: string) => BodyTemplate {
  return isVelocity ? (text, type) => (isLiteralTemplate(text) ? literal(text) : new VelocityTemplate(text, type)) : literal;
}

/** Whether one of them must see the body. */
export function anyReadsBody(templates: StaticTemplates): boolean {
  return Object.values(templates).some((text) => !isLiteralTemplate(text) && new VelocityTemplate(text).readsBody);
}

type Texts = Record<string, string>;
const noTexts = (): Texts => Object.create(null) as Texts;

/** Maps are made only for a template that goes through them. */
class ExchangeParameters implements RequestParameters {
  constructor(private readonly x: Exchange) {}

  get path(): Texts {
    const texts = noTexts();
    for (const name of this.x.route!.paramNames) texts[name] = decodeURIComponent(rawPathParam(this.x, name)!);
    return texts;
  }

  get querystring(): Texts {
    return lastOfEach(this.x.query);
  }

  get header(): Texts {
    return lastOfEach(this.x.requestHeaders);
  }

  /** Names of headers are case-sensitive, but not those that came by HTTP/2, which has no case to go by. */
  find(name: string): string | null {
    const segment = rawPathParam(this.x, name);
    if (segment !== null) return decodeURIComponent(segment);
    const { requestHeaders, protocol, query } = this.x;
    const inHeaders = protocol === 'HTTP/2.0' ? name.toLowerCase() : name;
    return queryValues(query, name).at(-1) ?? queryValues(requestHeaders, inHeaders).at(-1) ?? null;
  }
}

function lastOfEach(pairs: readonly string[]): Texts {
  const texts = noTexts();
  for (let i = 0; i < pairs.length; i += 2) texts[pairs[i]!] = pairs[i + 1]!;
  return texts;
}

const readers = (names: readonly string[], prefix = ''): Map<string, ContextVariable> =>
  new Map(names.map((name) => [name, contextVariable(prefix + name)!]));

/** Data-plane reference §10.4, those marked T. */
const VARIABLES = readers([
  ...['accountId', 'apiId', 'domainName', 'domainPrefix', 'extendedRequestId', 'httpMethod', 'path', 'protocol', 'requestId'],
  ...['requestTime', 'resourceId', 'resourcePath', 'stage', 'deploymentId', 'isCanaryRequest'],
  ...['awsEndpointRequestId', 'wafResponseCode', 'webaclArn'],
]);
const IDENTITY = readers(
  [
    ...['accountId', 'apiKey', 'apiKeyId', 'caller', 'cognitoAuthenticationProvider', 'cognitoAuthenticationType'],
    ...['cognitoIdentityId', 'cognitoIdentityPoolId', 'principalOrgId', 'sourceIp', 'user', 'userAgent', 'userArn'],
    ...['vpcId', 'vpceId'],
  ],
  'identity.',
);

function contextValue(x: Exchange, name: string): string | number | null | VariableTree | VariableGroup {
  const variable = VARIABLES.get(name);
  if (variable !== undefined) return variable(x);
  if (name === 'requestTimeEpoch') return x.receivedAtMs;
  if (name === 'identity') return new Identity(x);
  return name === 'authorizer' ? authorizerVariables(x) : null;
}

class Identity extends VariableGroup {
  constructor(private readonly x: Exchange) {
    super();
  }

  one(name: string): string | null {
    const read = IDENTITY.get(name);
    return read === undefined ? null : read(this.x);
  }

  all(): VariableTree {
    const identity: Record<string, string> = {};
    for (const [name, read] of IDENTITY) {
      const value = read(this.x);
      if (value !== null) identity[name] = value;
    }
    return identity;
  }
}
