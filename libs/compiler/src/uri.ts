import type { TextMap } from '@gatehouse/domain';

/** API Gateway guide, "Set up stage variables for REST APIs": the form stage variables have inside a URI. */
const STAGE_VARIABLE = /\$\{stageVariables\.([A-Za-z0-9_]+)\}/g;

/** Puts stage variables in place. A missing one is empty text, as on AWS (data-plane reference §3.7); `missing` names it. */
export function resolveStageVariables(
  text: string,
  variables: TextMap,
): { readonly text: string; readonly missing: readonly string[] } {
  const missing = new Set<string>();
  const resolved = text.replace(STAGE_VARIABLE, (_, name: string) => {
    if (Object.hasOwn(variables, name)) return variables[name]!;
    missing.add(name);
    return '';
  });
  return { text: resolved, missing: [...missing] };
}

/** Names of the `{placeholders}` a path mapping has to fill. */
export function uriPlaceholders(uri: string): string[] {
  return [...new Set([...uri.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1]!))];
}

/** What is wrong with the address of an HTTP backend; `null` when it can be called. Ports: data-plane reference §3.2. */
export function endpointProblem(uri: string): string | null {
  // A placeholder may stand where URL syntax allows only some characters; what fills it is checked when it is known.
  const sample = uri.replace(/\{[^{}]*\}/g, 'x');
  if (!URL.canParse(sample)) return 'it is not a URL';
  // URL parsers skip further slashes: in `https:///x`, left by a stage variable that is not set, the path would become the host.
  if (/^https?:(?!\/\/[^/?#\\])/i.test(sample)) return 'it has no host';
  if (/[\s\\]/.test(sample)) return 'it holds blanks or backslashes';
  const { protocol, port, username, password } = new URL(sample);
  if (protocol !== 'http:' && protocol !== 'https:') return 'the scheme must be http or https';
  if (username !== '' || password !== '') return 'it must not hold credentials';
  const number = port === '' ? 80 : Number(port);
  if (number !== 80 && number !== 443 && number < 1024) return `port ${number} is not allowed (80, 443, 1024 to 65535 are)`;
  return null;
}

const FUNCTION_INVOCATION =
  /^arn:(aws[a-z-]{0,20}):apigateway:([a-z0-9-]{1,30}):lambda:path\/2015-03-31\/functions\/([^/]{1,400})\/invocations$/;
const STREAMED_FUNCTION_INVOCATION =
  /^arn:(aws[a-z-]{0,20}):apigateway:([a-z0-9-]{1,30}):lambda:path\/2021-11-15\/functions\/([^/]{1,400})\/response-streaming-invocations$/;
const FUNCTION_ARN =
  /^arn:aws[a-z-]{0,20}:lambda:[a-z0-9-]{1,30}:\d{12}:function:[A-Za-z0-9_-]{1,64}(:(\$LATEST|[A-Za-z0-9_-]{1,128}))?$/;

/**
 * The function ARN inside `arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{function ARN}/invocations`;
 * for one that streams `.../2021-11-15/functions/{function ARN}/response-streaming-invocations`. `null` for anything else.
 */
export function functionArnOf(uri: string, isStreamed = false): string | null {
  const arn = (isStreamed ? STREAMED_FUNCTION_INVOCATION : FUNCTION_INVOCATION).exec(uri)?.[3];
  return arn !== undefined && FUNCTION_ARN.test(arn) ? arn : null;
}
